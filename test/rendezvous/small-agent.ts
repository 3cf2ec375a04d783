// The smallest agent that there can be: an endpoint, its client of a rendezvous, and connections to peers over relay channels
// alone, on which bytes are echoed. It runs as a machine of the simulated world.

import assert from "node:assert/strict";
import type { SocketAddress } from "../../src/base/address.ts";
import type { Ecn } from "../../src/base/ecn.ts";
import { RELAY_HEADER_BYTES } from "../../src/base/limits.ts";
import { silentLog } from "../../src/base/log.ts";
import type { Machine } from "../../src/base/machine.ts";
import { randomBytes } from "../../src/base/random.ts";
import { type Carrier, RouteTable } from "../../src/base/route.ts";
import type { Transmit } from "../../src/base/transmit.ts";
import type { Identity } from "../../src/crypto/identity.ts";
import { bestPacketCipher } from "../../src/crypto/packet-cipher.ts";
import { RendezvousClient, type RendezvousTarget } from "../../src/rendezvous/rendezvous-client.ts";
import type { RendezvousEvent } from "../../src/rendezvous/rendezvous-event.ts";
import { RendezvousServer, type RendezvousServerConfig } from "../../src/rendezvous/rendezvous-server.ts";
import type { Connection } from "../../src/transport/connection.ts";
import type { ConnectionEvent } from "../../src/transport/connection-event.ts";
import { Endpoint, NO_PSK, NO_SECRET_TAG } from "../../src/transport/endpoint.ts";
import { packetKind, packetLength } from "../../src/wire/datagram.ts";
import { seededIdentity } from "../crypto/seeded-identity.ts";
import type { Host } from "../sim/host.ts";
import type { SeededRandom } from "../sim/seeded-random.ts";

const cipher = bestPacketCipher();

export type EventOf<Type extends RendezvousEvent["type"]> = Extract<RendezvousEvent, { type: Type }>;

export class SmallAgent implements Machine {
  readonly identity: Identity;
  readonly instance: Uint8Array;
  readonly endpoint: Endpoint;
  readonly client: RendezvousClient;
  /** What the client said, in order. */
  readonly events: RendezvousEvent[] = [];
  /** Connections with peers that are confirmed. */
  readonly peers = new Set<Connection>();
  /** Bytes that came back from peers. */
  echoedBytes = 0;
  private readonly routes = new RouteTable();
  private readonly dials = new Map<number, Connection>();
  private host: Host | undefined;

  constructor(random: SeededRandom, identity = seededIdentity(random)) {
    this.identity = identity;
    this.instance = randomBytes(random, 8);
    this.endpoint = new Endpoint({
      identity,
      instance: this.instance,
      random,
      cipher,
      log: silentLog,
      admit: () => ({ psk: NO_PSK }),
    });
    this.client = new RendezvousClient({ endpoint: this.endpoint, routes: this.routes, random, log: silentLog });
  }

  runOn(host: Host, target: RendezvousTarget, selectors: readonly Uint8Array[] = []): this {
    this.host = host;
    host.run(this, (nowMs) => this.pump(nowMs));
    host.input((nowMs) => {
      this.client.register(nowMs, selectors);
      this.client.start(nowMs, target);
    });
    return this;
  }

  /** Calls a method as the host's application. */
  do<T>(act: (nowMs: number) => T): T {
    assert.ok(this.host);
    return this.host.input(act);
  }

  count(type: RendezvousEvent["type"]): number {
    return this.events.filter((event) => event.type === type).length;
  }

  last<Type extends RendezvousEvent["type"]>(type: Type): EventOf<Type> | undefined {
    return this.events.findLast((event): event is EventOf<Type> => event.type === type);
  }

  /** Asks to be introduced, with a handshake. */
  dial(peer: Uint8Array, selector: Uint8Array): Connection {
    return this.do((nowMs) => {
      const options = { remoteIdentity: peer, psk: NO_PSK, secretTag: NO_SECRET_TAG };
      const connection = this.endpoint.connect(nowMs, options);
      const packet = connection?.handshakePacket(nowMs);
      assert.ok(connection && packet);
      this.dials.set(this.client.open(nowMs, { peer, selector, packet }), connection);
      return connection;
    });
  }

  /** Sends bytes to a peer, which come back. */
  say(connection: Connection, lengthBytes: number): void {
    this.do((nowMs) => {
      const stream = connection.openStream(nowMs);
      assert.ok(stream);
      stream.write(nowMs, new Uint8Array(lengthBytes));
      stream.finish(nowMs);
    });
  }

  handleDatagram(nowMs: number, from: SocketAddress, bytes: Uint8Array, _carrier?: Carrier, codepoint?: Ecn): void {
    for (let at = 0; at < bytes.length; ) {
      const length = packetLength(bytes, at, bytes.length);
      if (length === 0) return;
      if (bytes[at] === packetKind.relayed) {
        const route = this.routes.relay(from, bytes.subarray(at, at + RELAY_HEADER_BYTES));
        this.endpoint.handlePacket(nowMs, route, bytes, at + RELAY_HEADER_BYTES, at + length, codepoint);
      } else if (bytes[at] === packetKind.identityReply) {
        this.client.handleIdentityReply(nowMs, from, bytes.subarray(at, at + length));
      } else {
        this.endpoint.handlePacket(nowMs, this.routes.direct(from), bytes, at, at + length, codepoint);
      }
      at += length;
    }
  }

  handleTimeout(nowMs: number): void {
    this.endpoint.handleTimeout(nowMs);
    this.client.handleTimeout(nowMs);
  }

  pollTimeout(): number {
    return Math.min(this.endpoint.pollTimeout(), this.client.pollTimeout());
  }

  pollTransmit(nowMs: number, out: Transmit): boolean {
    return this.client.pollTransmit(nowMs, out) || this.endpoint.pollTransmit(nowMs, out);
  }

  private pump(nowMs: number): void {
    for (let next = this.endpoint.pollEvent(); next !== undefined; next = this.endpoint.pollEvent()) {
      const { connection, event } = next;
      if (this.client.owns(connection)) this.client.handleConnectionEvent(nowMs, connection, event);
      else this.onPeerEvent(nowMs, connection, event);
    }
    for (let event = this.client.pollEvent(); event !== undefined; event = this.client.pollEvent()) {
      this.events.push(event);
      this.onEvent(nowMs, event);
    }
  }

  private onEvent(nowMs: number, event: RendezvousEvent): void {
    if (event.type === "opened") this.dials.get(event.request)?.addHandshakeRoute(event.route);
    if (event.type === "incoming" && event.packet.length > 0) {
      this.endpoint.handlePacket(nowMs, event.route, event.packet, 0, event.packet.length);
    }
  }

  private onPeerEvent(nowMs: number, connection: Connection, event: ConnectionEvent): void {
    switch (event.type) {
      case "connected":
        this.peers.add(connection);
        break;
      case "closed":
        this.peers.delete(connection);
        break;
      case "readable":
        for (let bytes = event.stream.read(); bytes !== undefined; bytes = event.stream.read()) {
          if (connection.role === "initiator") this.echoedBytes += bytes.length;
          else event.stream.write(nowMs, bytes.slice());
        }
        if (event.stream.readEnded && connection.role === "responder") event.stream.finish(nowMs);
        break;
    }
  }
}

/** A rendezvous at a host, and what agents need to know to find it. */
export class SmallRendezvous {
  readonly identity: Identity;
  readonly target: RendezvousTarget;
  server!: RendezvousServer;
  private readonly host: Host;
  private readonly random: SeededRandom;

  constructor(host: Host, random: SeededRandom, config: Partial<RendezvousServerConfig> = {}) {
    this.host = host;
    this.random = random;
    this.identity = seededIdentity(random);
    this.target = { address: host.address, publicKey: this.identity.publicKey };
    this.restart(config);
  }

  /** A new process of the same rendezvous: it has forgotten everything. */
  restart(config: Partial<RendezvousServerConfig> = {}): void {
    const { identity, random } = this;
    const instance = randomBytes(random, 8);
    this.server = new RendezvousServer({ identity, instance, random, cipher, log: silentLog, ...config });
    this.host.run(this.server, () => {
      while (this.server.pollEvent() !== undefined);
    });
  }
}
