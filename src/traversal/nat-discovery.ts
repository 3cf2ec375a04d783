// Finds out how the NAT in front of this machine behaves (RFC 5780): how it maps (§4.3), what it lets in (§4.4), whether it keeps port
// numbers, whether it turns packets round (§4.5). One family at a time, as a pure machine over two or three sockets:
//
//   all servers ──▶ the first with alternates ──┬─▶ mapping-test.ts: its alternates, and all of them once more
//                                               ├─▶ silence-test.ts: answers from elsewhere
//                                               ├─▶ unsolicited-test.ts: what such answers do to the mapping
//                                               └─▶ hairpin-test.ts
//
// The filter is tested on a socket of its own: the mapping test opens the filter towards the alternates that it asks, and an answer
// that was not asked for may spoil the mapping towards its sender. What cannot be known from the servers given is left unknown,
// with the reason.

import { formatSocketAddress, type SocketAddress } from "../base/address.ts";
import { NAT_GRACE_MS, NAT_SERVERS_MAX } from "../base/limits.ts";
import type { Machine } from "../base/machine.ts";
import type { Random } from "../base/random.ts";
import { type Carrier, MAIN_CARRIER, type RouteTable } from "../base/route.ts";
import type { Transmit } from "../base/transmit.ts";
import type { NatBehaviour } from "../wire/candidate.ts";
import { isStun, packetLength } from "../wire/datagram.ts";
import { filteringQuestions, judgeFiltering } from "./filtering.ts";
import { HairpinTest } from "./hairpin-test.ts";
import { MappingTest, observationsOf, retransmissionMs } from "./mapping-test.ts";
import { judgeMapping } from "./mapping-verdict.ts";
import { type Finding, type KnownDependence, known, type NatReport, probable, unknown } from "./nat-report.ts";
import { portStride } from "./port-allocation.ts";
import { SilenceTest } from "./silence-test.ts";
import { alternateOf, chooseReference, hasSecondAddress, type StunReference } from "./stun-reference.ts";
import { type StunTransaction, StunTransactions } from "./stun-transactions.ts";
import { UnsolicitedTest } from "./unsolicited-test.ts";

/** A UDP socket of ours. */
export interface LocalSocket {
  readonly carrier: Carrier;
  /** Its port on this machine, if that is known. */
  readonly port?: number;
}

export interface NatDiscoveryConfig {
  readonly routes: RouteTable;
  readonly random: Random;
  /** STUN servers of one family, the preferred one first; at most NAT_SERVERS_MAX are asked. */
  readonly servers: readonly SocketAddress[];
  /** This machine's own addresses, by which it is known whether there is a NAT at all. */
  readonly localHosts: readonly string[];
  /** Where it is seen from, by whom, is how the NAT maps: one that nobody but the servers knows of, for others' packets may spoil mappings. */
  readonly socket: LocalSocket;
  /** Another one, with nothing sent from it yet. */
  readonly filteringSocket: LocalSocket;
  /** One for the test of what unsolicited packets do, with nothing sent from it either; without it, that is not tested. */
  readonly unsolicitedSocket?: LocalSocket;
  /** Another one; without it, hairpinning is not tested. */
  readonly hairpinSocket?: LocalSocket;
}

export class NatDiscovery implements Machine {
  private readonly config: NatDiscoveryConfig;
  private readonly transactions: StunTransactions;
  /** The first question to each server. */
  private first: readonly StunTransaction[] = [];
  private graceAtMs = Number.POSITIVE_INFINITY;
  private reference: StunReference | undefined;
  private mapping: MappingTest | undefined;
  /** The first question from the filtering test's own socket. */
  private filteringOpening: StunTransaction | undefined;
  private filtering: SilenceTest | undefined;
  private unsolicited: UnsolicitedTest | undefined;
  private hairpinOpening: StunTransaction | undefined;
  private hairpin: HairpinTest | undefined;
  private report: NatReport | undefined;
  private isTold = false;

  constructor(config: NatDiscoveryConfig) {
    this.config = config;
    this.transactions = new StunTransactions(config.routes, config.random);
  }

  /** Begins; to be called once. */
  start(nowMs: number): void {
    const { servers, socket } = this.config;
    const { carrier } = socket;
    this.first = servers.slice(0, NAT_SERVERS_MAX).map((to) => this.transactions.ask(nowMs, { to, carrier }));
    this.advance(nowMs);
  }

  /** @returns the report, once. */
  pollEvent(): NatReport | undefined {
    if (this.isTold || this.report === undefined) return undefined;
    this.isTold = true;
    return this.report;
  }

  // ---- Machine

  handleDatagram(nowMs: number, from: SocketAddress, bytes: Uint8Array, carrier: Carrier = MAIN_CARRIER): void {
    for (let at = 0; at < bytes.length; ) {
      const lengthBytes = packetLength(bytes, at, bytes.length);
      if (lengthBytes === 0) break;
      if (isStun(bytes, at)) this.take(nowMs, from, bytes.subarray(at, at + lengthBytes), carrier);
      at += lengthBytes;
    }
    this.advance(nowMs);
  }

  private take(nowMs: number, from: SocketAddress, packet: Uint8Array, carrier: Carrier): void {
    const message = this.transactions.handlePacket(nowMs, from, packet, carrier);
    if (message?.class === "request") this.hairpin?.onRequest(message, carrier);
  }

  handleTimeout(nowMs: number): void {
    this.transactions.handleTimeout(nowMs);
    this.advance(nowMs);
  }

  pollTimeout(): number {
    if (this.report !== undefined) return Number.POSITIVE_INFINITY;
    const never = Number.POSITIVE_INFINITY;
    return Math.min(
      this.transactions.pollTimeout(),
      this.reference === undefined ? this.graceAtMs : never,
      this.filtering?.pollTimeout() ?? never,
      this.hairpin?.pollTimeout() ?? never,
      this.unsolicited?.pollTimeout() ?? never,
    );
  }

  pollTransmit(nowMs: number, out: Transmit): boolean {
    return this.transactions.pollTransmit(nowMs, out);
  }

  // ---- The course of it

  private advance(nowMs: number): void {
    if (this.report !== undefined) return;
    if (this.reference === undefined && this.isReadyToChoose(nowMs)) {
      this.reference = chooseReference(this.first);
      if (this.reference === undefined) this.finish(silentReport(this.describeServers()));
    }
    const { reference } = this;
    if (reference === undefined) return;
    this.advanceFiltering(nowMs, reference);
    const { transactions, first } = this;
    this.mapping ??= new MappingTest(nowMs, {
      transactions,
      carrier: this.config.socket.carrier,
      reference,
      first,
    });
    this.mapping.advance(nowMs);
    this.advanceUnsolicited(nowMs, reference);
    this.advanceHairpin(nowMs, reference);
    const isUnsolicitedOver = this.unsolicited?.isFinished ?? true;
    if (isUnsolicitedOver && this.mapping.isFinished && this.isFilteringOver(reference) && this.isHairpinOver) {
      this.finish(this.reportOn(reference));
    }
  }

  private finish(report: NatReport): void {
    this.report = report;
    this.transactions.clear();
  }

  private isReadyToChoose(nowMs: number): boolean {
    const [preferred] = this.first;
    if (this.first.every(({ state }) => state !== "waiting")) return true;
    if (preferred !== undefined && hasSecondAddress({ server: preferred.question.to, other: alternateOf(preferred) })) {
      return true;
    }
    if (!this.first.some(isAnswered)) return false;
    // Others get a little time, so that a better one is not missed; a dead one is not waited for.
    if (this.graceAtMs === Number.POSITIVE_INFINITY) this.graceAtMs = nowMs + NAT_GRACE_MS;
    return nowMs >= this.graceAtMs;
  }

  /** Why the filter cannot be tested. */
  private filteringObstacle({ other }: StunReference): string | undefined {
    if (other === undefined) return "no server has a second address or port to answer from (RFC 5780)";
    const state = this.filteringOpening?.state;
    return state === "silent" || state === "refused" ? "the server stopped answering" : undefined;
  }

  private advanceFiltering(nowMs: number, reference: StunReference): void {
    if (this.filtering === undefined && this.filteringObstacle(reference) === undefined) {
      const { transactions } = this;
      const { server, rttMs } = reference;
      const { carrier } = this.config.filteringSocket;
      this.filteringOpening ??= this.ask(nowMs, reference, carrier);
      if (isAnswered(this.filteringOpening)) {
        const questions = filteringQuestions(reference, carrier);
        this.filtering = new SilenceTest(nowMs, { transactions, questions, control: { to: server, carrier }, rttMs });
      }
    }
    this.filtering?.advance(nowMs);
  }

  private isFilteringOver(reference: StunReference): boolean {
    return this.filtering?.isFinished ?? this.filteringObstacle(reference) !== undefined;
  }

  private advanceUnsolicited(nowMs: number, reference: StunReference): void {
    const { unsolicitedSocket } = this.config;
    if (unsolicitedSocket === undefined) return;
    const { transactions } = this;
    this.unsolicited ??= new UnsolicitedTest(nowMs, { transactions, carrier: unsolicitedSocket.carrier, reference });
    this.unsolicited.advance(nowMs);
  }

  /** Whether unsolicited packets spoil mappings, as soon as that is known: before the rest, for peers should know it soon. */
  get takesUnsolicited(): Finding<boolean> {
    const { unsolicited, mapping } = this;
    if (unsolicited === undefined || !unsolicited.isFinished) return unknown("it was not tested");
    if (probable(judgeMapping(observationsOf(mapping?.asked ?? []))) !== "endpoint-independent") {
      return unknown("the mapping depends on the endpoint anyway");
    }
    return unsolicited.finding;
  }

  /**
   * The mapping and what unsolicited packets do to it, as soon as both are known: before the rest, for a spray waits for them. The
   * second question means nothing where the mapping depends on the endpoint.
   */
  get early(): Pick<NatBehaviour, "mapping" | "takesUnsolicited"> | undefined {
    const { mapping: test, unsolicited } = this;
    const mapping = test?.isFinished ? probable(judgeMapping(observationsOf(test.asked))) : undefined;
    if (mapping === undefined) return undefined;
    if (mapping === "endpoint-independent" && unsolicited?.isFinished === false) return undefined;
    const takesUnsolicited = this.takesUnsolicited.value;
    return takesUnsolicited === undefined ? { mapping } : { mapping, takesUnsolicited };
  }

  private judgeStride(isHard: boolean): Finding<number> {
    if (!isHard) return unknown("mappings keep their ports");
    const asked = [
      ...(this.mapping?.asked ?? []),
      this.filteringOpening,
      ...(this.unsolicited?.asked ?? []),
      this.hairpinOpening,
    ];
    const stride = portStride(asked.flatMap((of) => (of?.mapped === undefined ? [] : [of.mapped.port])));
    return stride === undefined ? unknown("ports are not given in sequence, as far as was seen") : known(stride);
  }

  private advanceHairpin(nowMs: number, reference: StunReference): void {
    const { hairpinSocket, socket } = this.config;
    const { mapped } = reference;
    if (hairpinSocket === undefined || !this.isTranslated(mapped)) return;
    this.hairpinOpening ??= this.ask(nowMs, reference, hairpinSocket.carrier);
    if (this.hairpin === undefined && this.hairpinOpening.mapped !== undefined) {
      const far = { carrier: hairpinSocket.carrier, mapped: this.hairpinOpening.mapped };
      this.hairpin = new HairpinTest(nowMs, this.transactions, [{ carrier: socket.carrier, mapped }, far]);
    }
    this.hairpin?.advance(nowMs);
  }

  private get isHairpinOver(): boolean {
    if (this.hairpin !== undefined) return this.hairpin.works !== undefined;
    return this.hairpinOpening === undefined || this.hairpinOpening.state !== "waiting";
  }

  private ask(nowMs: number, reference: StunReference, carrier: Carrier): StunTransaction {
    return this.transactions.ask(nowMs, { to: reference.server, carrier }, { rtoMs: retransmissionMs(reference) });
  }

  // ---- The report

  private reportOn(reference: StunReference): NatReport {
    const isTranslated = this.isTranslated(reference.mapped);
    const works = this.hairpin?.works;
    const mapping = judgeMapping(observationsOf(this.mapping?.asked ?? []));
    const isHard = mapping.value !== undefined && mapping.value !== "endpoint-independent";
    return {
      servers: this.describeServers(),
      udp: true,
      translated: isTranslated,
      // Where nothing is translated there is nothing that could depend on the server.
      mapping: mapping.value === undefined && !isTranslated ? known("endpoint-independent") : mapping,
      filtering: this.judgeFiltering(reference),
      portsPreserved: this.judgePorts(),
      hairpin: works === undefined ? unknown(isTranslated ? "it was not tested" : "there is no NAT") : known(works),
      takesUnsolicited: this.takesUnsolicited,
      portStride: this.judgeStride(isHard),
    };
  }

  private isTranslated(mapped: SocketAddress): boolean {
    return !this.config.localHosts.includes(mapped.host);
  }

  private judgeFiltering(reference: StunReference): Finding<KnownDependence> {
    if (this.filtering === undefined) return unknown(this.filteringObstacle(reference) ?? "it was not tested");
    return judgeFiltering(reference, this.filtering.passages, (alternate) => this.mapping?.isAlive(alternate) ?? false);
  }

  private judgePorts(): Finding<boolean> {
    const { socket, filteringSocket, hairpinSocket } = this.config;
    const samples = [
      ...(this.mapping?.asked ?? []).map((asked) => [asked, socket] as const),
      [this.filteringOpening, filteringSocket] as const,
      [this.hairpinOpening, hairpinSocket] as const,
    ];
    const kept = samples.flatMap(([asked, local]) =>
      asked?.mapped && local?.port !== undefined ? [asked.mapped.port === local.port] : [],
    );
    if (kept.length === 0) return unknown("the port inside is not known");
    if (!kept.includes(false)) return known(true);
    return kept.includes(true) ? known(false, "for some connections only") : known(false);
  }

  private describeServers(): NatReport["servers"] {
    const samples = [...(this.mapping?.asked ?? this.first), ...(this.filtering?.controls ?? [])];
    return this.first.map((first) => {
      const server = first.question.to;
      const key = formatSocketAddress(server);
      const times = samples.flatMap(({ question, rttMs }) =>
        rttMs !== undefined && formatSocketAddress(question.to) === key ? [rttMs] : [],
      );
      const other = alternateOf(first);
      return {
        server,
        answered: isAnswered(first),
        ...(times.length === 0 ? {} : { rttMs: Math.min(...times) }),
        ...(first.mapped === undefined ? {} : { mapped: first.mapped }),
        ...(other === undefined ? {} : { other }),
      };
    });
  }
}

/** What is known where nobody answered. */
function silentReport(servers: NatReport["servers"]): NatReport {
  const silence = unknown("no server answered");
  const properties = {
    mapping: silence,
    filtering: silence,
    portsPreserved: silence,
    hairpin: silence,
    takesUnsolicited: silence,
    portStride: silence,
  };
  return { servers, udp: false, translated: undefined, ...properties };
}

const isAnswered = (asked: StunTransaction | undefined): boolean => asked?.state === "answered";
