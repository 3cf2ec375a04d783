// The streams that agents have opened to a rendezvous, as carriers: their numbers, and how many of them there may be, in all and
// from one host, whether they have said anything yet or not.

import type { Socket } from "node:net";
import type { SocketAddress } from "../base/address.ts";
import { hostKey } from "../base/host-key.ts";
import { STREAM_CARRIER_MIN, STREAMS_PER_HOST_MAX } from "../base/limits.ts";
import type { Log } from "../base/log.ts";
import type { Carrier } from "../base/route.ts";
import { HostQuota } from "../rendezvous/host-quota.ts";
import { ConnectionQuota } from "./connection-quota.ts";
import { QueueBudget } from "./packet-queue.ts";
import type { StreamCarrier, StreamCarrierOptions } from "./stream-carrier.ts";

export interface AcceptedCarriersOptions {
  readonly log: Log;
  onOpened(carrier: Carrier, socket: StreamCarrier): void;
  onClosed(carrier: Carrier): void;
  /** The process's own bound, unless a test has another one. */
  readonly max?: number;
  readonly perHostMax?: number;
}

export class AcceptedCarriers {
  private readonly options: AcceptedCarriersOptions;
  private readonly quota: ConnectionQuota;
  private readonly perHost: HostQuota;
  private readonly budget = new QueueBudget();
  private readonly connections = new Set<Socket>();
  private next = STREAM_CARRIER_MIN;

  constructor(options: AcceptedCarriersOptions) {
    this.options = options;
    this.quota = new ConnectionQuota(options.log, options.max);
    this.perHost = new HostQuota(options.perHostMax ?? STREAMS_PER_HOST_MAX);
  }

  /** Counts a connection for as long as it is open. @returns false where there is no room: it is closed. */
  admit(connection: Socket): boolean {
    connection.on("error", () => {});
    if (!this.quota.hasRoom(this.connections.size)) {
      this.quota.onRefused();
      connection.destroy();
      return false;
    }
    this.connections.add(connection);
    connection.once("close", () => this.connections.delete(connection));
    return true;
  }

  /** Counts an admitted connection for the host that it comes from. @returns false where that has too many: it is closed. */
  admitFrom(connection: Socket, remote: SocketAddress): boolean {
    const host = hostKey(remote);
    if (!this.perHost.hasRoom(host)) {
      connection.destroy();
      return false;
    }
    this.perHost.take(host);
    connection.once("close", () => this.perHost.giveBack(host));
    return true;
  }

  /** Makes a carrier of it. */
  take(remote: SocketAddress, make: (options: StreamCarrierOptions) => StreamCarrier): StreamCarrier {
    const carrier = this.next++;
    const onClosed = (): void => this.options.onClosed(carrier);
    const socket = make({ remote, budget: this.budget, onClosed });
    this.options.onOpened(carrier, socket);
    return socket;
  }

  /** Ends every connection. */
  close(): void {
    for (const connection of this.connections) connection.destroy();
  }
}
