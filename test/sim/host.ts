// A computer: it runs one machine on a UDP port or several, as the driver loop does with a real socket. It splits batches into
// datagrams, drains the machine after every input as machine.ts prescribes, keeps its timer, may join received datagrams as
// GRO does, sleeps and wakes, moves to other networks, and restarts with another machine.

import type { SocketAddress } from "../../src/base/address.ts";
import { assert } from "../../src/base/assert.ts";
import { type Ecn, ecn } from "../../src/base/ecn.ts";
import type { Machine } from "../../src/base/machine.ts";
import type { Carrier } from "../../src/base/route.ts";
import type { LinkSettings, PacketSink } from "./link.ts";
import { MachineTimer, ROUNDING_MS } from "./machine-timer.ts";
import type { Attachment, Network } from "./network.ts";
import { NetworkInterfaces } from "./network-interfaces.ts";
import type { Packet } from "./packet.ts";
import type { Place } from "./place.ts";
import { ReceiveBuffer } from "./receive-buffer.ts";
import { SimulationError } from "./simulation-error.ts";
import { UdpSockets } from "./udp-sockets.ts";
import type { World } from "./world.ts";

/** Batches that a machine may want sent after one input; one that never ends is a bug. */
const BATCHES_MAX = 20_000;
/** Rounds of draining and pumping events after one input. */
const ROUNDS_MAX = 10_000;

export interface SleepOptions {
  /** Packets that arrive are lost with the network card asleep, or wait in the socket's buffer; lost unless told. */
  readonly packets?: "lost" | "buffered";
  /** Whether the host's monotonic clock stands still meanwhile, as Linux's does; it runs on unless told. */
  readonly clockStops?: boolean;
}

/** A view as Node's sockets hand it out: a Buffer, whose `slice` copies nothing. */
const asReceived = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);

export class Host implements PacketSink {
  readonly name: string;
  readonly index: number;
  readonly world: World;
  /**
   * Called after every input of the machine, drained of its transmits: the place to pump its events.
   * It may give the machine new inputs; all is drained again behind it.
   */
  onInput: ((nowMs: number) => void) | undefined;
  machine: Machine | undefined;
  /** Whether its sockets set and tell ECN's codepoint; those of plain dgram do not. */
  hasEcn = true;
  datagramsSent = 0;
  bytesSent = 0;
  datagramsReceived = 0;
  bytesReceived = 0;
  private readonly interfaces: NetworkInterfaces;
  private readonly sockets: UdpSockets;
  /** Streams that are open, by carrier: what takes a packet that is sent over one. */
  private readonly streams = new Map<Carrier, (packet: Uint8Array) => void>();
  private readonly buffer: ReceiveBuffer;
  private readonly timer: MachineTimer;
  private sleep: SleepOptions | undefined;
  private sleepsSinceMs = 0;
  private clockOffsetMs: number;
  private lastMs = Number.NEGATIVE_INFINITY;
  private isDraining = false;

  /** @param clockOffsetMs the host's clock minus the world's. */
  constructor(world: World, name: string, index: number, port: number, clockOffsetMs: number) {
    this.world = world;
    this.name = name;
    this.index = index;
    this.clockOffsetMs = clockOffsetMs;
    this.interfaces = new NetworkInterfaces(this, world.book);
    this.sockets = new UdpSockets(port, world.book, this.interfaces);
    this.buffer = new ReceiveBuffer(world, this);
    this.timer = new MachineTimer(world, this);
  }

  /** The host's own monotonic clock, which is what its machine is told. */
  get nowMs(): number {
    const nowMs = (this.sleep?.clockStops === true ? this.sleepsSinceMs : this.world.nowMs) + this.clockOffsetMs;
    assert(nowMs > this.lastMs - ROUNDING_MS, `${this.name}: time goes back from ${this.lastMs} to ${nowMs} ms`);
    return Math.max(nowMs, this.lastMs);
  }

  /** The main socket's port. */
  get port(): number {
    return this.sockets.mainPort;
  }

  /** The main socket's address on each interface, the first interface first. */
  get addresses(): SocketAddress[] {
    return this.interfaces.all.map(({ source }) => source.address);
  }

  /** The main socket's address on the first interface. */
  get address(): SocketAddress {
    return this.interfaces.first.source.address;
  }

  get isAsleep(): boolean {
    return this.sleep !== undefined;
  }

  /** The links of the first interface, whose settings a test may change. */
  get attachment(): Attachment {
    return this.interfaces.first.attachment;
  }

  // ---- The machine ---------------------------------------------------------------------------------------

  /** Runs a machine in place of the one that ran, if any: a restart. What the socket had buffered is gone. */
  run(machine: Machine | undefined, onInput?: (nowMs: number) => void): void {
    assert(!this.isDraining, `${this.name}: a machine cannot be replaced from within its own events`);
    this.buffer.clear();
    this.machine = machine;
    this.onInput = onInput;
    this.drain();
  }

  /** Calls methods of the machine: `act` gets the host's clock, and the machine is drained behind it. */
  input<T>(act: (nowMs: number) => T): T {
    assert(!this.isAsleep, `${this.name} is asleep`);
    const result = act(this.tick());
    this.drain();
    return result;
  }

  /** Drains the machine, pumps its events, and arms its timer. */
  drain(): void {
    // Events may lead to an input of this same host; the loop below comes round to it.
    if (this.isDraining || this.isAsleep || this.machine === undefined) return;
    this.isDraining = true;
    this.world.enterHost();
    const nowMs = this.tick();
    let rounds = 0;
    this.sendAll(nowMs);
    do {
      this.onInput?.(nowMs);
      if (++rounds > ROUNDS_MAX) throw new SimulationError(`${this.name}: its events and transmits never end`);
    } while (this.sendAll(nowMs) > 0);
    this.world.leaveHost();
    this.isDraining = false;
    this.timer.arm(this.machine, nowMs);
  }

  /** @returns the host's clock, which from now on must not show an earlier time. */
  tick(): number {
    this.lastMs = this.nowMs;
    return this.lastMs;
  }

  /** The timer is due at `dueMs`, which rounding may put a hair behind the clock. */
  tickTo(dueMs: number): number {
    this.lastMs = Math.max(this.tick(), dueMs);
    return this.lastMs;
  }

  // ---- Packets ---------------------------------------------------------------------------------------------

  receive(packet: Packet): void {
    const reason = this.refusal(packet);
    if (reason !== undefined) this.world.drop(packet, this.name, reason);
    else this.buffer.put(packet);
  }

  /** Hands the machine one datagram, which the receive buffer may have joined from several. The bytes are spoilt behind it. */
  deliver(source: Place, destination: Place, bytes: Uint8Array, codepoint: Ecn): void {
    const machine = this.machine as Machine;
    const carrier = this.sockets.carrierAt(destination) as Carrier;
    machine.handleDatagram(
      this.tick(),
      source.address,
      asReceived(bytes),
      carrier,
      this.hasEcn ? codepoint : ecn.notEct,
    );
    // The machine may keep no view: who does finds these bytes in it.
    bytes.fill(0xdb);
    this.drain();
  }

  /** Whether a socket is open at this address. */
  listensAt(destination: Place): boolean {
    return this.sockets.carrierAt(destination) !== undefined;
  }

  private refusal(packet: Packet): string | undefined {
    if (this.machine === undefined) return "nothing runs";
    if (!this.listensAt(packet.destination)) return "port is closed";
    if (this.isAsleep && this.sleep?.packets !== "buffered") return "asleep";
    return this.world.firewall.drops(packet, this) ? "firewall" : undefined;
  }

  private sendAll(nowMs: number): number {
    const { world } = this;
    const machine = this.machine as Machine;
    const out = world.transmit;
    let batches = 0;
    while (machine.pollTransmit(nowMs, out)) {
      if (++batches > BATCHES_MAX) throw new SimulationError(`${this.name}: pollTransmit never ends`);
      const { route, lengthBytes, segmentBytes, hopLimit } = out;
      assert(route !== undefined, `${this.name}: a transmit without a route`);
      assert(
        segmentBytes > 0 && lengthBytes > 0 && lengthBytes <= out.buffer.length,
        `${this.name}: an empty transmit`,
      );
      const destination = world.book.of(route.remote);
      for (let start = 0; start < lengthBytes; start += segmentBytes) {
        const end = Math.min(start + segmentBytes, lengthBytes);
        this.send(route.carrier, destination, out.buffer, start, end, hopLimit, out.ecn);
      }
    }
    return batches;
  }

  private send(
    carrier: Carrier,
    destination: Place,
    bytes: Uint8Array,
    start: number,
    end: number,
    hopLimit: number | undefined,
    codepoint: Ecn,
  ): void {
    const stream = this.streams.get(carrier);
    if (stream !== undefined) {
      stream(bytes.slice(start, end));
      return;
    }
    const foot = this.sockets.exit(carrier, destination);
    this.datagramsSent++;
    this.world.lastSendMs = this.world.nowMs;
    this.bytesSent += end - start;
    // Without a network or with the socket closed, sending fails at once, and the driver goes on as if the packet were lost.
    if (foot === undefined) return;
    const packet = this.world.packets.take(foot.source, destination, this);
    packet.setPayload(bytes, start, end);
    if (hopLimit !== undefined) packet.hopLimit = hopLimit;
    if (this.hasEcn) packet.ecn = codepoint;
    this.world.trace.record(this.world.nowMs, "send", this.name, packet);
    foot.attachment.up.receive(packet);
  }

  /**
   * Opens a further socket, whose datagrams come with its carrier.
   * @param carrier any number that is not in use, but 0, which is the main socket.
   * @param ip the one address of the host that it is bound to; all of them unless told.
   */
  openSocket(carrier: Carrier, port: number, ip?: string): void {
    this.sockets.open(carrier, port, ip);
  }

  closeSocket(carrier: Carrier): void {
    this.sockets.close(carrier);
  }

  /** Opens an end of a stream: what the machine sends by this carrier goes to `send`. stream-link.ts makes the rest of it. */
  openStream(carrier: Carrier, send: (packet: Uint8Array) => void): void {
    this.streams.set(carrier, send);
  }

  closeStream(carrier: Carrier): void {
    this.streams.delete(carrier);
  }

  /** Hands the machine what came over a stream. The bytes are spoilt behind it. */
  receiveByStream(carrier: Carrier, from: SocketAddress, bytes: Uint8Array): void {
    if (this.machine === undefined || this.isAsleep || !this.streams.has(carrier)) return;
    this.machine.handleDatagram(this.tick(), from, asReceived(bytes), carrier);
    bytes.fill(0xdb);
    this.drain();
  }

  // ---- Networks ----------------------------------------------------------------------------------------------

  /** Joins a network. The first interface of a family is where packets to elsewhere leave. */
  join(network: Network, ip: string, up: Partial<LinkSettings> = {}, down: Partial<LinkSettings> = {}): Attachment {
    return this.interfaces.join(network, ip, up, down);
  }

  /** Leaves every network; packets on their way to the old addresses are lost. */
  leave(): void {
    this.interfaces.leave();
  }

  /** Leaves every network for another one. The machine is not told: that is its driver's, here the test's, business. */
  move(network: Network, ip: string, up: Partial<LinkSettings> = {}, down: Partial<LinkSettings> = {}): void {
    this.interfaces.leave();
    this.interfaces.join(network, ip, up, down);
  }

  /** Gets another address in the network of the first interface; the links stay. */
  changeAddress(ip: string): void {
    this.interfaces.changeAddress(ip);
  }

  /** Gives up the main socket's port for another one, on every interface. */
  changePort(port: number): void {
    this.sockets.mainPort = port;
    this.buffer.clear();
    this.interfaces.changePort(port);
  }

  // ---- Sleep ---------------------------------------------------------------------------------------------------

  /** The lid closes: no timer fires and no packet is handled until `resume`. */
  pause(options: SleepOptions = {}): void {
    assert(!this.isAsleep && !this.isDraining, `${this.name} cannot fall asleep now`);
    this.sleepsSinceMs = this.world.nowMs;
    this.sleep = options;
  }

  resume(): void {
    assert(this.sleep !== undefined, `${this.name} is awake`);
    if (this.sleep.clockStops === true) this.clockOffsetMs -= this.world.nowMs - this.sleepsSinceMs;
    this.sleep = undefined;
    this.buffer.open();
    if (this.machine !== undefined) this.timer.arm(this.machine, this.tick());
  }
}
