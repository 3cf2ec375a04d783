// A crowd of agents that come to a rendezvous at the same moment, as they do when it was started anew, and a rendezvous whose
// processor takes its time. What comes waits in a socket buffer as Linux has it; what finds no room there is lost.

import assert from "node:assert/strict";
import { type SocketAddress, socketAddress } from "../../src/base/address.ts";
import { silentLog } from "../../src/base/log.ts";
import type { Machine } from "../../src/base/machine.ts";
import { randomBytes } from "../../src/base/random.ts";
import { Transmit } from "../../src/base/transmit.ts";
import type { Identity } from "../../src/crypto/identity.ts";
import { bestPacketCipher } from "../../src/crypto/packet-cipher.ts";
import { RendezvousServer } from "../../src/rendezvous/rendezvous-server.ts";
import { seededIdentity } from "../crypto/seeded-identity.ts";
import type { Host } from "../sim/host.ts";
import { SeededRandom } from "../sim/seeded-random.ts";
import { SmallAgent } from "./small-agent.ts";

/** Processor time of the rendezvous, in ms, as measured on one machine. */
const COST_MS = { handshake: 1.1, other: 0.05 };
/** Small datagrams that fit the socket buffer that Linux grants unless it is told otherwise (rmem_max, each counted with its overhead). */
const BUFFER_DATAGRAMS = 550;
/** An identity may have 64 instances; to make one takes longer than all else. */
const INSTANCES = 50;
/** Read in one turn of the event loop. */
const TURN_DATAGRAMS = 256;
const SERVER_ADDRESS = socketAddress("192.0.2.1", 4700) ?? assert.fail();

interface Waiting {
  readonly from: SocketAddress;
  readonly bytes: Uint8Array;
}

export interface CrowdOptions {
  readonly agents: number;
  readonly seed: number;
  readonly bufferDatagrams?: number;
}

const out = new Transmit();

/** What happens when, by time. */
class Agenda {
  private readonly heap: { readonly atMs: number; readonly act: () => void }[] = [];
  nowMs = 0;

  at(atMs: number, act: () => void): void {
    const { heap } = this;
    let i = heap.length;
    const entry = { atMs, act };
    for (heap.push(entry); i > 0; ) {
      const parent = (i - 1) >> 1;
      if ((heap[parent] as typeof entry).atMs <= atMs) break;
      heap[i] = heap[parent] as typeof entry;
      i = parent;
    }
    heap[i] = entry;
  }

  next(): boolean {
    const { heap } = this;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined) return false;
    if (heap.length > 0) {
      let i = 0;
      for (;;) {
        let child = 2 * i + 1;
        if (child >= heap.length) break;
        if ((heap[child + 1]?.atMs ?? Number.POSITIVE_INFINITY) < (heap[child] as typeof last).atMs) child++;
        if ((heap[child] as typeof last).atMs >= last.atMs) break;
        heap[i] = heap[child] as typeof last;
        i = child;
      }
      heap[i] = last;
    }
    this.nowMs = Math.max(this.nowMs, first.atMs);
    first.act();
    return true;
  }
}

/** A machine at an address, its datagrams and its timer. */
class Node {
  readonly agenda: Agenda;
  readonly address: SocketAddress;
  private readonly send: (to: SocketAddress, bytes: Uint8Array) => void;
  private machine: Machine | undefined;
  private onInput: ((nowMs: number) => void) | undefined;
  private timerAtMs = Number.POSITIVE_INFINITY;
  /** What a timer does: it calls the machine at once, unless somebody else does when there is time for it. */
  onTimer = (machine: Machine): void => {
    machine.handleTimeout(this.agenda.nowMs);
    this.drain();
  };

  constructor(agenda: Agenda, address: SocketAddress, send: (to: SocketAddress, bytes: Uint8Array) => void) {
    this.agenda = agenda;
    this.address = address;
    this.send = send;
  }

  run(machine: Machine, onInput?: (nowMs: number) => void): void {
    this.machine = machine;
    this.onInput = onInput;
  }

  input<T>(act: (nowMs: number) => T): T {
    const result = act(this.agenda.nowMs);
    this.drain();
    return result;
  }

  drain(): void {
    const { machine, agenda } = this;
    if (machine === undefined) return;
    for (let again = true; again; ) {
      again = false;
      while (machine.pollTransmit(agenda.nowMs, out)) {
        again = true;
        for (let at = 0; at < out.lengthBytes; at += out.segmentBytes) {
          const to = out.route?.remote ?? assert.fail();
          this.send(to, out.buffer.slice(at, Math.min(at + out.segmentBytes, out.lengthBytes)));
        }
      }
      this.onInput?.(agenda.nowMs);
    }
    const atMs = machine.pollTimeout();
    if (atMs >= this.timerAtMs || atMs === Number.POSITIVE_INFINITY) return;
    this.timerAtMs = atMs;
    agenda.at(atMs, () => {
      if (this.timerAtMs !== atMs) return;
      this.timerAtMs = Number.POSITIVE_INFINITY;
      this.onTimer(machine);
    });
  }
}

export class ReturningAgents {
  readonly agents: SmallAgent[] = [];
  readonly agenda = new Agenda();
  /** Handshakes that the rendezvous has answered, and datagrams that found no room. */
  handshakes = 0;
  lost = 0;
  /** What the rendezvous's processor has been at work for. */
  busyMs = 0;
  private readonly nodes = new Map<string, Node>();
  private readonly waiting: Waiting[] = [];
  private readonly bufferDatagrams: number;
  private isBusy = false;
  private isTimerDue = false;
  private isDraining = false;
  private readonly outgoing: (() => void)[] = [];
  private readonly serverNode: Node;
  private readonly server: RendezvousServer;
  private readonly random: SeededRandom;

  constructor(options: CrowdOptions) {
    const random = new SeededRandom(options.seed);
    this.random = random;
    this.bufferDatagrams = options.bufferDatagrams ?? BUFFER_DATAGRAMS;
    const identity = seededIdentity(random);
    const instance = randomBytes(random, 8);
    this.server = new RendezvousServer({ identity, instance, random, cipher: bestPacketCipher(), log: silentLog });
    this.countHandshakes();
    this.serverNode = new Node(this.agenda, SERVER_ADDRESS, (to, bytes) => this.toAgent(to, bytes));
    this.serverNode.run(this.server, () => {
      while (this.server.pollEvent() !== undefined);
    });
    this.serverNode.onTimer = () => {
      this.isTimerDue = true;
      if (!this.isBusy) this.work();
    };
    let own: Identity = identity;
    for (let i = 0; i < options.agents; i++) {
      if (i % INSTANCES === 0) own = seededIdentity(random);
      const address = socketAddress(`198.${18 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}`, 4000) ?? assert.fail();
      const delayMs = random.between(5, 60);
      const node = new Node(this.agenda, address, (_to, bytes) => {
        this.agenda.at(this.agenda.nowMs + delayMs, () => this.toServer({ from: address, bytes }));
      });
      this.nodes.set(`${address.host}`, node);
      const agent = new SmallAgent(random.fork(`agent ${i}`), own);
      this.agents.push(agent);
      agent.runOn(node as unknown as Host, { address: SERVER_ADDRESS, publicKey: identity.publicKey });
    }
  }

  private countHandshakes(): void {
    const { endpoint } = this.server as unknown as { endpoint: { accept(...args: unknown[]): void } };
    const accept = endpoint.accept.bind(endpoint);
    endpoint.accept = (...args: unknown[]) => {
      this.handshakes++;
      accept(...args);
    };
  }

  private toAgent(to: SocketAddress, bytes: Uint8Array): void {
    const node = this.nodes.get(to.host) ?? assert.fail();
    if (this.isDraining) this.outgoing.push(() => this.carry(node, to, bytes));
    else this.carry(node, to, bytes);
  }

  private carry(node: Node, to: SocketAddress, bytes: Uint8Array): void {
    this.agenda.at(this.agenda.nowMs + this.random.between(5, 60), () => {
      node.input((nowMs) => (this.agents[this.indexOf(to)] as SmallAgent).handleDatagram(nowMs, SERVER_ADDRESS, bytes));
    });
  }

  private indexOf({ host }: SocketAddress): number {
    const [, b = 0, c = 0, d = 0] = host.split(".").map(Number);
    return ((b - 18) << 16) | (c << 8) | d;
  }

  private toServer(datagram: Waiting): void {
    if (this.waiting.length >= this.bufferDatagrams) {
      this.lost++;
      return;
    }
    this.waiting.push(datagram);
    if (!this.isBusy) this.work();
  }

  /** A turn: what waits is put in, then the machine is drained. What leaves does so when the time for both has been spent. */
  private work(): void {
    this.isTimerDue = false;
    const before = this.handshakes;
    if (this.server.pollTimeout() <= this.agenda.nowMs) this.server.handleTimeout(this.agenda.nowMs);
    const datagrams = this.waiting.splice(0, TURN_DATAGRAMS);
    for (const { from, bytes } of datagrams) this.server.handleDatagram(this.agenda.nowMs, from, bytes);
    this.isDraining = true;
    this.serverNode.drain();
    this.isDraining = false;
    const costMs = (this.handshakes - before) * COST_MS.handshake + datagrams.length * COST_MS.other;
    this.busyMs += costMs;
    this.isBusy = true;
    const outgoing = this.outgoing.splice(0);
    this.agenda.at(this.agenda.nowMs + costMs, () => {
      this.isBusy = false;
      for (const act of outgoing) act();
      if (this.waiting.length > 0 || this.isTimerDue) this.work();
    });
  }

  get registered(): number {
    return this.server.statistics.agents;
  }

  /** @returns when all of them had been registered, in ms. */
  untilAllAreThere(limitMs: number): number {
    const isThere = (): boolean =>
      this.agents.every((agent) => agent.client.isConnected && agent.count("registered") > 0);
    for (let checkAtMs = 0; this.agenda.nowMs < limitMs; ) {
      if (!this.agenda.next()) break;
      if (this.agenda.nowMs < checkAtMs) continue;
      checkAtMs = this.agenda.nowMs + 10;
      if (isThere()) return this.agenda.nowMs;
    }
    return Number.POSITIVE_INFINITY;
  }
}
