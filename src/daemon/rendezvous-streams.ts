// How agents whose network lets no UDP through come to a rendezvous: over TCP, on its port, and where --websocket says so by WebSocket.

import type { Log } from "../base/log.ts";
import type { Carrier } from "../base/route.ts";
import { AcceptedCarriers } from "../io/accepted-carriers.ts";
import type { DatagramSocket } from "../io/datagram-socket.ts";
import type { Driver } from "../io/driver.ts";
import { formatHostPort } from "../io/forward-target.ts";
import { resolveListenHost } from "../io/listen-host.ts";
import { monotonicNowMs } from "../io/monotonic-clock.ts";
import type { StreamCarrier } from "../io/stream-carrier.ts";
import { StreamListener } from "../io/stream-listener.ts";
import type { StunListener } from "../io/stun-listener.ts";
import type { RendezvousServer, RendezvousServerEvent } from "../rendezvous/rendezvous-server.ts";
import { type ListenPlace, listenError } from "./listen-option.ts";
import { type CertificateFiles, readCertificate, watchCertificate } from "./tls-certificate.ts";
import { systemCode } from "./usage-error.ts";

export interface RendezvousStreamsOptions {
  readonly server: RendezvousServer;
  readonly driver: Driver<RendezvousServerEvent>;
  readonly log: Log;
}

export class RendezvousStreams {
  private readonly log: Log;
  private readonly accepted: AcceptedCarriers;
  private readonly endings: (() => void)[] = [];

  constructor({ server, driver, log }: RendezvousStreamsOptions) {
    this.log = log;
    this.accepted = new AcceptedCarriers({
      log,
      onOpened(carrier: Carrier, socket: StreamCarrier) {
        driver.addSocket(carrier, socket);
        server.handleCarrierOpened(monotonicNowMs(), carrier, socket.remote);
        driver.wake();
      },
      onClosed(carrier: Carrier) {
        driver.closeSocket(carrier);
        server.handleCarrierClosed(monotonicNowMs(), carrier);
        driver.wake();
      },
    });
  }

  /**
   * Listens for TCP where `socket` takes UDP. A port that another program has there is said, and is no reason to end: most
   * agents come over UDP.
   * @param carrier of `socket`.
   */
  async listenForTcp({ localHost, localPort }: DatagramSocket, carrier: Carrier, stun: StunListener): Promise<void> {
    const { log, accepted } = this;
    const listener = new StreamListener({
      log,
      accepted,
      onStun: (connection, first) => stun.accept(carrier, connection, first),
    });
    try {
      await listener.listen(localHost, localPort);
      this.endings.push(() => listener.close());
    } catch (error) {
      const place = formatHostPort(localHost, localPort);
      log.warn(`cannot listen on ${place} over TCP; agents whose network lets no UDP through cannot come by it`, {
        reason: systemCode(error) ?? String(error),
      });
    }
  }

  /** @returns the port that it listens on. @throws OperatingError */
  async listenForWebsockets(place: ListenPlace, files: CertificateFiles | undefined): Promise<number> {
    const { log, accepted } = this;
    const certificate = files && readCertificate(files);
    const { WebsocketListener } = await import("../io/websocket-listener.ts");
    const listener = new WebsocketListener({ log, accepted, certificate });
    try {
      const port = await listener.listen(await resolveListenHost(place.host), place.port);
      this.endings.push(() => listener.close());
      if (files !== undefined) this.endings.push(watchCertificate(files, log, (renewed) => listener.renew(renewed)));
      return port;
    } catch (error) {
      throw listenError(error, place, "TCP", "--websocket");
    }
  }

  /** Stops listening and ends every connection. */
  close(): void {
    for (const end of this.endings) end();
    this.accepted.close();
  }
}
