// The agent: one side of the tunnel, as a pure machine. It holds one endpoint for all its connections, its session with the
// rendezvous among them; peers that are connected, dials that want to be, and the services that it exposes.
//
//   datagram ─┬─ relayed ── unwrapped ─┐
//             ├─ handshake, data ──────┴─ Endpoint ─┬─ RendezvousLinks: introductions, observed addresses
//             └─ identity reply ── RendezvousLinks   └─ Peer: candidates, punching, paths; streams go to the driver

import type { SocketAddress } from "../base/address.ts";
import type { Ecn } from "../base/ecn.ts";
import { Fifo } from "../base/fifo.ts";
import { COALESCING_RTT_PART, RELAY_HEADER_BYTES } from "../base/limits.ts";
import type { Machine } from "../base/machine.ts";
import { closeCode } from "../base/protocol-error.ts";
import { type Carrier, MAIN_CARRIER, RouteTable } from "../base/route.ts";
import type { Transmit } from "../base/transmit.ts";
import type { Identity } from "../crypto/identity.ts";
import { equalBytes } from "../crypto/secret.ts";
import type { OpenFailure } from "../rendezvous/rendezvous-event.ts";
import type { Connection } from "../transport/connection.ts";
import type { ConnectionEvent } from "../transport/connection-event.ts";
import { Endpoint } from "../transport/endpoint.ts";
import type { Stream } from "../transport/stream.ts";
import type { NatBehaviour } from "../wire/candidate.ts";
import { isStun, packetKind, packetLength } from "../wire/datagram.ts";
import type { AgentConfig } from "./agent-config.ts";
import type { AgentEvent } from "./agent-event.ts";
import type { CarrierGoal, OpenedCarrier } from "./carrier-goal.ts";
import { ChannelRequests } from "./channel-requests.ts";
import { Dial, type DialOptions } from "./dial.ts";
import { Dials } from "./dials.ts";
import { IncomingStreams } from "./incoming-streams.ts";
import { ownCandidates } from "./own-candidates.ts";
import { OwnNetwork } from "./own-network.ts";
import { OwnSockets } from "./own-sockets.ts";
import { OwnStreams } from "./own-streams.ts";
import { OwnStun } from "./own-stun.ts";
import { Peer } from "./peer.ts";
import { PeerLimit } from "./peer-limit.ts";
import { ReceivedRoute } from "./received-route.ts";
import { RelayRoutes } from "./relay-routes.ts";
import type { RendezvousPlace } from "./rendezvous-link.ts";
import { RendezvousLinks } from "./rendezvous-links.ts";
import { Service, type ServiceOptions } from "./service.ts";
import { ServiceTable } from "./service-table.ts";

export class Agent implements Machine {
  readonly identity: Identity;
  private readonly events = new Fifo<AgentEvent>();
  private readonly endpoint: Endpoint;
  private readonly routes = new RouteTable();
  private readonly received = new ReceivedRoute(this.routes);
  private readonly relayRoutes = new RelayRoutes(this.routes);
  private readonly config: AgentConfig;
  private readonly services = new ServiceTable();
  private readonly incoming = new IncomingStreams();
  private readonly peers = new Map<Connection, Peer>();
  private readonly peerLimit = new PeerLimit();
  private readonly dials = new Dials();
  private readonly rendezvous: RendezvousLinks;
  private readonly network: OwnNetwork;
  private readonly sockets = new OwnSockets((event) => this.events.push(event));
  private readonly streams = new OwnStreams((event) => this.events.push(event));
  private readonly stun: OwnStun;
  private readonly channels: ChannelRequests;
  private isShutDown = false;

  constructor(config: AgentConfig) {
    this.identity = config.identity;
    this.config = config;
    this.network = new OwnNetwork(config.settings?.spray ?? true);
    this.endpoint = new Endpoint({
      identity: config.identity,
      instance: config.instance,
      random: config.random,
      cipher: config.cipher,
      log: config.log,
      admit: ({ identity, secretTag }) => (this.isShutDown ? undefined : this.services.admit(identity, secretTag)),
      settings: config.settings?.transport ?? {},
      candidates: () => ownCandidates(this.network, this.streams.candidates),
    });
    this.rendezvous = new RendezvousLinks({
      endpoint: this.endpoint,
      routes: this.routes,
      random: config.random,
      log: config.log,
      streams: this.streams,
      emit: (event) => this.events.push(event),
    });
    this.channels = new ChannelRequests(this.rendezvous);
    this.stun = new OwnStun({
      routes: this.routes,
      random: config.random,
      log: config.log,
      network: this.network,
      sockets: this.sockets,
      servers: () => this.rendezvous.addresses,
      onMeasured: (nowMs, nat) => this.setNatBehaviour(nowMs, nat),
    });
  }

  // ---- what the driver asks for

  /** The rendezvous to use, the first one preferred, with their names resolved. */
  setRendezvous(nowMs: number, places: readonly RendezvousPlace[]): void {
    this.rendezvous.setPlaces(nowMs, places);
  }

  /** The socket's address on each interface; called whenever they change, and when the host woke up. */
  setLocalAddresses(nowMs: number, addresses: readonly SocketAddress[]): void {
    const isFirst = this.network.hosts.length === 0 && this.peers.size === 0;
    this.network.hosts = [...addresses];
    if (isFirst) return;
    this.rendezvous.onNetworkChange(nowMs);
    this.stun.onNetworkChange(nowMs);
    for (const peer of this.peers.values()) peer.onNetworkChange(nowMs);
    this.dials.onNetworkChange(nowMs);
  }

  /** What our routers map to the socket's port; called whenever that changes. */
  setMappedAddresses(_nowMs: number, addresses: readonly SocketAddress[]): void {
    this.network.mapped = [...addresses];
    for (const peer of this.peers.values()) peer.sendCandidates();
  }

  /** A stream is open that was wanted. @param goal of the event that asked for it. */
  onCarrierOpened(nowMs: number, goal: CarrierGoal, opened: OpenedCarrier): void {
    this.streams.onOpened(nowMs, goal, opened);
    this.handleEndpointEvents(nowMs);
  }

  /** A stream is gone, whoever ended it. */
  onCarrierClosed(nowMs: number, carrier: Carrier): void {
    this.streams.onClosed(nowMs, carrier);
    this.handleEndpointEvents(nowMs);
  }

  /** How our NAT behaves, as far as it is known. */
  get natBehaviour(): NatBehaviour {
    return this.network.nat;
  }

  /** How our NAT was measured to behave; it decides how direct paths are looked for. */
  setNatBehaviour(nowMs: number, nat: NatBehaviour): void {
    this.network.nat = nat;
    for (const peer of this.peers.values()) peer.onNatMeasured(nowMs);
  }

  expose(nowMs: number, options: ServiceOptions): Service {
    const service = new Service(options);
    this.services.add(service);
    this.rendezvous.register(nowMs, this.services.selectors(this.identity.publicKey));
    return service;
  }

  /** Keeps connecting, and reconnecting, to a peer's service. */
  dial(nowMs: number, options: DialOptions): Dial {
    const dial = new Dial(nowMs, options, {
      random: this.config.random,
      routes: this.routes,
      emit: (event) => this.events.push(event),
      connect: (at, to) => this.endpoint.connect(at, to),
      rendezvous: this.rendezvous,
    });
    this.dials.add(dial);
    const serving = [...this.peers.values()].find((peer) => equalBytes(peer.identity, options.peer));
    if (serving !== undefined) dial.onConnected(serving);
    return dial;
  }

  /** Ends every connection politely; drain what is to be sent afterwards. */
  shutdown(nowMs: number): void {
    this.isShutDown = true;
    for (const peer of this.peers.values()) {
      peer.connection.close(nowMs, closeCode.goingAway, "the other side is shutting down");
    }
    this.stun.stop();
    this.rendezvous.shutdown(nowMs);
  }

  // ---- Machine

  handleDatagram(nowMs: number, from: SocketAddress, bytes: Uint8Array, carrier = MAIN_CARRIER, codepoint?: Ecn): void {
    const direct = this.received.of(from, carrier);
    for (let at = 0, end = bytes.length; at < end; ) {
      const length = packetLength(bytes, at, end);
      if (length === 0) return;
      if (bytes[at] === packetKind.relayed) {
        // Anything else than our rendezvous has no channels to us.
        if (this.rendezvous.isRelay(direct)) {
          const route = this.relayRoutes.find(direct, bytes, at);
          this.endpoint.handlePacket(nowMs, route, bytes, at + RELAY_HEADER_BYTES, at + length, codepoint);
        }
      } else if (isStun(bytes, at)) {
        this.onStun(nowMs, from, carrier, bytes.subarray(at, at + length));
      } else if (bytes[at] === packetKind.identityReply) {
        this.rendezvous.onIdentityReply(nowMs, from, bytes.subarray(at, at + length));
      } else {
        this.endpoint.handlePacket(nowMs, direct, bytes, at, at + length, codepoint);
      }
      at += length;
    }
    this.handleEndpointEvents(nowMs);
  }

  private onStun(nowMs: number, from: SocketAddress, carrier: Carrier, packet: Uint8Array): void {
    const seen = this.stun.handlePacket(nowMs, from, carrier, packet);
    if (seen === undefined) return;
    for (const peer of this.peers.values()) peer.onMappedAddress(nowMs, seen.carrier, seen.address);
  }

  handleTimeout(nowMs: number): void {
    this.endpoint.handleTimeout(nowMs);
    this.rendezvous.handleTimeout(nowMs);
    this.stun.handleTimeout(nowMs);
    this.dials.handleTimeout(nowMs);
    for (const peer of this.peers.values()) {
      if (peer.pollTimeout() > nowMs) continue;
      peer.handleTimeout(nowMs);
      if (peer.connection.isStalled && peer.unansweredChannels >= 2) this.dials.redial(nowMs, peer);
    }
    this.handleEndpointEvents(nowMs);
  }

  pollTimeout(): number {
    let at = Math.min(this.endpoint.pollTimeout(), this.rendezvous.pollTimeout());
    at = Math.min(at, this.stun.pollTimeout(), this.dials.pollTimeout());
    for (const peer of this.peers.values()) at = Math.min(at, peer.pollTimeout());
    return at;
  }

  pollTransmit(nowMs: number, out: Transmit): boolean {
    return (
      this.rendezvous.pollTransmit(nowMs, out) ||
      this.stun.pollTransmit(nowMs, out) ||
      this.endpoint.pollTransmit(nowMs, out)
    );
  }

  /** A small part of the shortest round trip: a sender takes what is added to it for the path's. */
  patienceMs(): number {
    return COALESCING_RTT_PART * Math.min(...Array.from(this.peers.keys(), ({ rttMs }) => rttMs));
  }

  pollEvent(): AgentEvent | undefined {
    if (this.events.size === 0) for (const peer of this.peers.values()) peer.tellPath();
    return this.events.shift();
  }

  // ---- events from below

  private handleEndpointEvents(nowMs: number): void {
    for (;;) {
      for (let next = this.endpoint.pollEvent(); next !== undefined; next = this.endpoint.pollEvent()) {
        if (this.rendezvous.owns(next.connection))
          this.rendezvous.onConnectionEvent(nowMs, next.connection, next.event);
        else this.onPeerEvent(nowMs, next.connection, next.event);
      }
      if (!this.handleRendezvousEvents(nowMs)) return;
    }
  }

  private onPeerEvent(nowMs: number, connection: Connection, event: ConnectionEvent): void {
    switch (event.type) {
      case "connected":
        this.onConnected(nowMs, connection);
        return;
      case "closed":
        this.onClosed(nowMs, connection);
        return;
      case "stream":
        this.incoming.add(nowMs, event.stream);
        return;
      case "readable":
        if (this.incoming.has(event.stream)) this.readPreamble(nowMs, event.stream);
        else this.events.push({ type: "readable", stream: event.stream });
        return;
      case "writable":
        this.events.push({ type: "writable", stream: event.stream });
        return;
      case "stream-closed":
        this.incoming.delete(event.stream);
        this.events.push({ type: "stream-closed", stream: event.stream });
        return;
      case "stream-reset":
      case "stop-sending":
        if (this.incoming.has(event.stream)) this.incoming.giveUp(nowMs, event.stream);
        else this.events.push({ type: event.type, stream: event.stream, code: event.code });
        return;
      case "streams-available":
        this.dials.onStreamsAvailable(connection);
        return;
      default:
        this.onPathEvent(nowMs, connection, event);
    }
  }

  private onPathEvent(nowMs: number, connection: Connection, event: ConnectionEvent): void {
    const peer = this.peers.get(connection);
    if (peer === undefined) return;
    peer.onEvent(nowMs, event);
    // Where a path has fallen silent the way to the rendezvous may be cut as well, or be needed: ask it.
    if (event.type === "stalled" || event.type === "path-doubted") this.rendezvous.poke(nowMs);
    this.dials.onPathEvent(nowMs, peer, event);
  }

  private readPreamble(nowMs: number, stream: Stream): void {
    const { remoteIdentity, handshakeHash } = stream.connection;
    const service = this.incoming.read(nowMs, stream, (preamble) =>
      this.services.find(preamble, remoteIdentity, handshakeHash),
    );
    if (service !== undefined) this.events.push({ type: "stream", stream, service, peer: remoteIdentity });
  }

  private onConnected(nowMs: number, connection: Connection): void {
    if (!this.peerLimit.makeRoom(nowMs, connection, this.peers.keys())) return;
    const peer = new Peer(nowMs, connection, {
      routes: this.routes,
      random: this.config.random,
      sockets: this.sockets,
      streams: this.streams,
      directAfterMs: this.config.settings?.directAfterMs ?? 0,
      network: this.network,
      queryMappedAddress: (at, carrier) => this.stun.queryMappedAddress(at, carrier),
      emit: (event) => this.events.push(event),
      openChannel: (at, of) => this.channels.open(at, of),
      closeChannel: (at, route) => this.rendezvous.closeChannel(at, route),
    });
    this.peers.set(connection, peer);
    this.stun.onPeer(nowMs);
    this.events.push({ type: "peer-connected", peer: connection.remoteIdentity });
    this.dials.onConnected(peer);
  }

  private onClosed(nowMs: number, connection: Connection): void {
    this.dials.onAttemptClosed(nowMs, connection);
    const peer = this.peers.get(connection);
    if (peer === undefined) return;
    this.peers.delete(connection);
    peer.stop(nowMs);
    this.channels.forget(peer);
    this.events.push({ type: "peer-gone", peer: peer.identity });
    this.dials.onGone(nowMs, peer);
  }

  // ---- the rendezvous

  /** @returns whether there was any event. */
  private handleRendezvousEvents(nowMs: number): boolean {
    let any = false;
    for (let event = this.rendezvous.pollEvent(nowMs); event !== undefined; event = this.rendezvous.pollEvent(nowMs)) {
      any = true;
      switch (event.type) {
        case "connected":
          this.dials.onRendezvousConnected(nowMs);
          for (const peer of this.peers.values()) peer.onRendezvousConnected(nowMs);
          break;
        case "unreachable":
          this.dials.onNoRendezvous();
          break;
        case "registered":
        case "observed":
          if (this.streams.onSeen(event.address, event.carrier, this.network))
            for (const peer of this.peers.values()) peer.sendCandidates();
          this.stun.onRendezvous(nowMs);
          break;
        case "opened":
          if (!this.channels.onOpened(nowMs, event.request, event.route))
            this.dials.onOpened(event.request, event.route);
          break;
        case "open-failed":
          this.onOpenFailed(nowMs, event.request, event.reason);
          break;
        case "incoming":
          if (event.packet.length > 0)
            this.endpoint.handlePacket(nowMs, event.route, event.packet, 0, event.packet.length);
          break;
        case "channel-moved":
          for (const peer of this.peers.values()) peer.onChannelMoved(nowMs, event.from, event.to);
          this.dials.onChannelMoved(event.from, event.to);
          break;
        case "channel-closed":
          for (const peer of this.peers.values()) peer.onChannelClosed(nowMs, event.route);
          this.dials.onChannelClosed(nowMs, event.route);
          break;
        case "present":
          this.dials.onPresent(nowMs, event.peer);
          for (const peer of this.peers.values()) peer.onPresent(nowMs, event.peer, event.selector);
          break;
      }
    }
    return any;
  }

  private onOpenFailed(nowMs: number, request: number, reason: OpenFailure): void {
    const peer = this.channels.onFailed(nowMs, request);
    if (peer === undefined) this.dials.onOpenFailed(nowMs, request, reason);
    // The very instance is not there: the peer may have been started anew under another one.
    else if (peer.connection.isStalled) this.dials.redial(nowMs, peer);
  }
}
