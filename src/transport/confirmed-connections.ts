// Connections whose handshake is confirmed, by direction and by the pair of instances that they connect: a newer one of the same
// direction between the same two takes over from the older.

import type { Connection } from "./connection.ts";

export class ConfirmedConnections {
  private readonly byPair = new Map<string, readonly Connection[]>();

  /** @returns those of one direction with this instance, the oldest first. */
  of(role: Connection["role"], identity: Uint8Array, instance: Uint8Array): readonly Connection[] {
    return this.byPair.get(pairKey(role, identity, instance)) ?? [];
  }

  /** @returns those that are older. */
  add(connection: Connection): readonly Connection[] {
    const { role, remoteIdentity, remoteInstance } = connection;
    const older = this.of(role, remoteIdentity, remoteInstance);
    this.byPair.set(pairKey(role, remoteIdentity, remoteInstance), [...older, connection]);
    return older;
  }

  delete(connection: Connection): void {
    const { role, remoteIdentity, remoteInstance } = connection;
    const left = this.of(role, remoteIdentity, remoteInstance).filter((other) => other !== connection);
    const key = pairKey(role, remoteIdentity, remoteInstance);
    if (left.length === 0) this.byPair.delete(key);
    else this.byPair.set(key, left);
  }
}

function pairKey(role: Connection["role"], identity: Uint8Array, instance: Uint8Array): string {
  return `${role} ${String.fromCharCode(...identity, ...instance)}`;
}
