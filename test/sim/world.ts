// The deterministic world that simulation tests run in: a virtual clock, networks of seeded links, NATs and firewalls, and hosts
// that run machines. All randomness comes from one seed, no time passes but virtual time, and a run repeats exactly from its seed.
//
//     const world = new World({ seed });
//     const a = world.addHost("A", { ip: "198.51.100.1", link: { delayMs: 10 } });
//     a.run(machine, (nowMs) => pump its events);
//     world.runUntil(() => everything arrived, 10_000);
//
// topology.ts has ready-made arrangements of networks, and for-seeds.ts runs a scenario over many seeds.

import { assert } from "../../src/base/assert.ts";
import { Transmit } from "../../src/base/transmit.ts";
import { Firewall } from "./firewall.ts";
import { Host } from "./host.ts";
import type { LinkSettings } from "./link.ts";
import { Network } from "./network.ts";
import { type Packet, PacketPool } from "./packet.ts";
import { PacketTrace } from "./packet-trace.ts";
import { AddressBook } from "./place.ts";
import { Router } from "./router.ts";
import { createTranslator, type RouterKind } from "./router-kind.ts";
import { SeededRandom } from "./seeded-random.ts";
import { SimulationError } from "./simulation-error.ts";
import { type ClockTarget, VirtualClock } from "./virtual-clock.ts";

export interface WorldOptions {
  readonly seed: number;
  /** The world's clock at the start. */
  readonly startMs: number;
  /** How often, after an input of a machine, an early handleTimeout is drawn. It must change nothing. */
  readonly earlyWakeUpProbability: number;
  /** Timers fire up to this late. */
  readonly timerLatenessMs: number;
  /** Chance that a datagram is joined to the one before it, as GRO does; 0 switches joining off. */
  readonly joinProbability: number;
  /** How long datagrams are held back at most in order to be joined. */
  readonly joinMs: number;
  /** More events within one virtual millisecond are taken for an endless loop. */
  readonly eventsPerMsMax: number;
  /** Packets that the printable trace remembers. */
  readonly traceRecords: number;
}

const DEFAULTS: WorldOptions = {
  seed: 1,
  startMs: 0,
  earlyWakeUpProbability: 0.02,
  timerLatenessMs: 0,
  joinProbability: 0,
  joinMs: 0.5,
  eventsPerMsMax: 20_000,
  traceRecords: 500,
};

export interface HostOptions {
  readonly ip: string;
  /** The socket's port; 4000 unless told. */
  readonly port?: number;
  /** The network it is in; the internet unless told. */
  readonly network?: Network;
  /** Both directions of its link. */
  readonly link?: Partial<LinkSettings>;
  /** From the host, over `link`. */
  readonly up?: Partial<LinkSettings>;
  /** To the host, over `link`. */
  readonly down?: Partial<LinkSettings>;
  /** The host's clock minus the world's. */
  readonly clockOffsetMs?: number;
}

/** Fewer than on nearly every real way between two homes. */
const INTERNET_ROUTERS = 6;

export interface RouterOptions {
  /** Its address in the outer network. */
  readonly ip: string;
  readonly inner: Network;
  /** The internet unless told. */
  readonly outer?: Network;
  readonly router: RouterKind;
  /** Both directions of the link to the outer network. */
  readonly link?: Partial<LinkSettings>;
  readonly up?: Partial<LinkSettings>;
  readonly down?: Partial<LinkSettings>;
}

class ScheduledCall implements ClockTarget {
  readonly label = "a call of the test";
  private readonly world: World;
  private readonly call: () => void;

  constructor(world: World, call: () => void) {
    this.world = world;
    this.call = call;
  }

  fire(): void {
    this.call();
    this.world.drainAll();
  }
}

export class World {
  readonly options: WorldOptions;
  readonly random: SeededRandom;
  readonly clock: VirtualClock;
  readonly trace: PacketTrace;
  readonly firewall = new Firewall();
  readonly book = new AddressBook();
  readonly packets = new PacketPool();
  /** The one batch that all hosts fill in turn, as one driver does. */
  readonly transmit = new Transmit();
  readonly joinBuffer = new Uint8Array(65_536);
  /** The network in the middle. */
  readonly internet: Network;
  readonly hosts: Host[] = [];
  /** Packets dropped so far, by reason. */
  readonly drops = new Map<string, number>();
  /** When a host last sent a datagram. */
  lastSendMs: number;
  private hostDepth = 0;

  constructor(options: Partial<WorldOptions> = {}) {
    this.options = { ...DEFAULTS, ...options };
    this.random = new SeededRandom(this.options.seed);
    this.clock = new VirtualClock(this.options.startMs, this.options.eventsPerMsMax);
    this.trace = new PacketTrace(this.options.traceRecords);
    this.internet = new Network(this, "internet");
    this.internet.routersBetween = INTERNET_ROUTERS;
    this.lastSendMs = this.options.startMs;
  }

  get nowMs(): number {
    return this.clock.nowMs;
  }

  addNetwork(name: string): Network {
    return new Network(this, name);
  }

  /** Adds a host in which nothing runs yet: see Host.run. */
  addHost(name: string, options: HostOptions): Host {
    const host = new Host(this, name, this.hosts.length, options.port ?? 4000, options.clockOffsetMs ?? 0);
    this.hosts.push(host);
    const { link, up, down } = options;
    host.join(options.network ?? this.internet, options.ip, { ...link, ...up }, { ...link, ...down });
    return host;
  }

  addRouter(name: string, options: RouterOptions): Router {
    const { link, up, down } = options;
    const random = this.random.fork(`router ${name}`);
    const translator = createTranslator(options.router, this.book, random, options.ip);
    const outer = options.outer ?? this.internet;
    return new Router(
      this,
      name,
      options.inner,
      outer,
      options.ip,
      translator,
      { ...link, ...up },
      { ...link, ...down },
    );
  }

  // ---- Time ----------------------------------------------------------------------------------------------

  /** Calls `call` at a time of the world's clock, and drains every machine behind it. */
  at(atMs: number, call: () => void): void {
    this.clock.schedule(atMs, new ScheduledCall(this, call));
  }

  /** Calls `call` when this much time has passed. */
  after(delayMs: number, call: () => void): void {
    this.at(this.nowMs + delayMs, call);
  }

  /** Lets this much time pass. */
  runFor(durationMs: number): void {
    const endMs = this.nowMs + durationMs;
    this.drainAll();
    while (this.clock.nextMs <= endMs) this.clock.step();
    this.clock.advanceTo(endMs);
  }

  /**
   * Lets time pass until `predicate`, asked after every event, is true.
   * @returns how much virtual time that took.
   * @throws SimulationError when `limitMs` pass before.
   */
  runUntil(predicate: () => boolean, limitMs: number): number {
    const startMs = this.nowMs;
    const endMs = startMs + limitMs;
    this.drainAll();
    while (!predicate()) {
      if (this.clock.nextMs > endMs) this.giveUp(endMs, `not within ${limitMs} ms: ${predicate}`);
      this.clock.step();
    }
    return this.nowMs - startMs;
  }

  /**
   * Lets time pass until no host has sent anything for `quietMs`.
   * @returns how much virtual time that took, `quietMs` included.
   * @throws SimulationError when that is not before `limitMs`.
   */
  runUntilQuiet(quietMs: number, limitMs: number): number {
    const startMs = this.nowMs;
    const endMs = startMs + limitMs;
    this.drainAll();
    let quietAtMs = Math.max(startMs, this.lastSendMs) + quietMs;
    while (this.clock.nextMs <= quietAtMs) {
      if (this.clock.nextMs > endMs) this.giveUp(endMs, `not quiet within ${limitMs} ms`);
      this.clock.step();
      quietAtMs = Math.max(startMs, this.lastSendMs) + quietMs;
    }
    if (quietAtMs > endMs) this.giveUp(endMs, `not quiet within ${limitMs} ms`);
    this.clock.advanceTo(quietAtMs);
    return quietAtMs - startMs;
  }

  /** Drains every machine: for a test that called methods of machines itself. */
  drainAll(): void {
    for (const host of this.hosts) host.drain();
  }

  /** @returns a few lines on how things stand. */
  report(): string {
    const hosts = this.hosts.map((host) => {
      const wakeUp = host.machine === undefined ? "nothing runs" : `next wake-up ${host.machine.pollTimeout()} ms`;
      const state = host.isAsleep ? "asleep" : `${wakeUp}, its clock ${host.nowMs} ms`;
      return `  ${host.name}: sent ${host.datagramsSent}, received ${host.datagramsReceived} datagrams, ${state}`;
    });
    const drops = [...this.drops].map(([reason, count]) => `${reason} ${count}`).join(", ");
    const head = `at ${this.nowMs} ms, ${this.packets.inFlight} packets in flight, dropped: ${drops || "none"}`;
    return [head, ...hosts].join("\n");
  }

  private giveUp(atMs: number, what: string): never {
    this.clock.advanceTo(atMs);
    throw new SimulationError(`${what}\n${this.report()}\nlatest packets:\n${this.trace.format(20)}`);
  }

  // ---- For the parts of the world ----------------------------------------------------------------------------

  /** A packet ends here. */
  drop(packet: Packet, where: string, reason: string): void {
    this.trace.record(this.nowMs, "drop", where, packet, reason);
    this.drops.set(reason, (this.drops.get(reason) ?? 0) + 1);
    this.packets.release(packet);
  }

  /** Whether some host is at work, so that another one must not be handed a datagram right now. */
  get isInHost(): boolean {
    return this.hostDepth > 0;
  }

  enterHost(): void {
    this.hostDepth++;
  }

  leaveHost(): void {
    assert(this.hostDepth > 0, "no host is at work");
    this.hostDepth--;
  }
}
