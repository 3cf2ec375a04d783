// The UDP sockets that an agent asks for beside its main one, each under a number that the agent chose. A datagram may be for a socket
// that is still being opened, or was closed a moment ago: it is lost, as any datagram may be.

import type { Log } from "../base/log.ts";
import type { Carrier } from "../base/route.ts";
import type { DatagramSocket } from "./datagram-socket.ts";
import { openUdpSocket } from "./udp-socket.ts";

export interface FurtherSocketsOptions {
  readonly log: Log;
  /** Takes an open socket in. */
  add(carrier: Carrier, socket: DatagramSocket): void;
  /** Closes one that was taken in. */
  remove(carrier: Carrier): void;
}

export class FurtherSockets {
  private readonly options: FurtherSocketsOptions;
  private readonly wanted = new Set<Carrier>();

  constructor(options: FurtherSocketsOptions) {
    this.options = options;
  }

  open(carriers: readonly Carrier[]): void {
    for (const carrier of carriers) {
      this.wanted.add(carrier);
      void this.openOne(carrier);
    }
  }

  close(carriers: readonly Carrier[]): void {
    for (const carrier of carriers) {
      this.wanted.delete(carrier);
      this.options.remove(carrier);
    }
  }

  closeAll(): void {
    this.close([...this.wanted]);
  }

  private async openOne(carrier: Carrier): Promise<void> {
    const { log } = this.options;
    try {
      const socket = await openUdpSocket({ log });
      if (this.wanted.has(carrier)) this.options.add(carrier, socket);
      else socket.close();
    } catch (error) {
      // No descriptors left, perhaps. The agent has other ways, and this one has turned out to be closed.
      log.debug("a further UDP socket could not be opened", { carrier, error: String(error) });
    }
  }
}
