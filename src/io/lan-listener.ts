// Where an exposing agent hears peers on its own network that look for it: a group on a fixed port, beside the main socket. What
// comes is the initiation of a handshake, which only the right peer can read, or even recognise as its own; it is handed on as if
// the main socket had received it, so that the answer leaves from there, straight to the asker.

import { createSocket, type Socket } from "node:dgram";
import { type SocketAddress, socketAddress } from "../base/address.ts";
import { LAN_GROUP_IPV4, LAN_GROUP_IPV6, LAN_PORT } from "../base/limits.ts";
import type { Log } from "../base/log.ts";
import { packetKind } from "../wire/datagram.ts";
import { multicastInterfaces } from "./multicast-interfaces.ts";

const groupOf = (family: 4 | 6): string => (family === 4 ? LAN_GROUP_IPV4 : LAN_GROUP_IPV6);

/** @returns the addresses that stand for everybody who listens on the same link. */
export function lanGroups(families: readonly (4 | 6)[]): readonly SocketAddress[] {
  return families.map((family) => ({ family, host: groupOf(family), port: LAN_PORT }));
}

export interface LanListenerOptions {
  readonly log: Log;
  /** Those that the main socket reaches, and so can answer by. */
  readonly families: readonly (4 | 6)[];
  /** Takes an initiation. The bytes are its own. */
  onAsked(from: SocketAddress, bytes: Uint8Array): void;
}

export class LanListener {
  private readonly options: LanListenerOptions;
  private readonly sockets: ReadonlyMap<4 | 6, Socket>;

  /** @throws the error of the system where no family can be listened to. */
  static async open(options: LanListenerOptions): Promise<LanListener> {
    const sockets = new Map<4 | 6, Socket>();
    let failure: unknown;
    for (const family of options.families) {
      try {
        sockets.set(family, await bind(family));
      } catch (error) {
        options.log.info("no peers are heard on this network by this family", { family, error: String(error) });
        failure = error;
      }
    }
    if (sockets.size === 0) throw failure;
    return new LanListener(options, sockets);
  }

  private constructor(options: LanListenerOptions, sockets: ReadonlyMap<4 | 6, Socket>) {
    this.options = options;
    this.sockets = sockets;
    for (const socket of sockets.values()) {
      socket.on("message", (bytes, info) => {
        const from = socketAddress(info.address, info.port);
        if (from !== undefined && bytes[0] === packetKind.initiation) options.onAsked(from, bytes);
      });
      socket.on("error", (error) =>
        options.log.debug("the group's socket reported an error", { error: error.message }),
      );
    }
    this.refresh();
  }

  /** Listens on interfaces that have come; on those that were there already nothing changes. */
  refresh(): void {
    for (const [family, socket] of this.sockets) {
      for (const link of multicastInterfaces(family)) {
        try {
          socket.addMembership(groupOf(family), link);
        } catch (error) {
          // EADDRINUSE: it is a member there already. Others are interfaces without multicast.
          if ((error as NodeJS.ErrnoException).code === "EADDRINUSE") continue;
          this.options.log.debug("no peers are heard on this interface", { link, error: String(error) });
        }
      }
    }
  }

  close(): void {
    for (const socket of this.sockets.values()) socket.close();
  }
}

/** Several processes of one machine listen on the same port, and each hears what is sent to the group. */
function bind(family: 4 | 6): Promise<Socket> {
  const socket = createSocket({ type: family === 4 ? "udp4" : "udp6", reuseAddr: true, ipv6Only: family === 6 });
  return new Promise((resolve, reject) => {
    socket.once("error", (error) => {
      socket.close();
      reject(error);
    });
    socket.bind({ port: LAN_PORT, exclusive: true }, () => {
      socket.removeAllListeners("error");
      resolve(socket);
    });
  });
}
