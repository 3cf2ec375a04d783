// Everything that applications and networks do to a connection, drawn at random: streams are opened, written, finished, reset and
// stopped, readers pause, links lose, are cut and mended, addresses change, hosts sleep, keys are replaced every few packets. The
// rules of a connection are checked after every input (connection-invariants.ts), every byte by its pattern, every packet number by
// the cipher. When the network is fair again everything is delivered, and both sides fall silent.

import assert from "node:assert/strict";
import type { TransportSettings } from "../../src/transport/transport-settings.ts";
import { forSeeds, type Scenario } from "../sim/for-seeds.ts";
import type { Host } from "../sim/host.ts";
import type { LinkSettings } from "../sim/link.ts";
import type { SeededRandom } from "../sim/seeded-random.ts";
import type { EndpointMachine, StreamRecord } from "./endpoint-machine.ts";
import { MultiPathWorld } from "./multi-path-world.ts";

interface Weather {
  readonly lossMax: number;
  /** How long an outage lasts at most. */
  readonly outageMsMax: number;
  readonly operations: number;
}

function linkOf(random: SeededRandom, lossMax: number): Partial<LinkSettings> {
  return {
    delayMs: random.pick([0, 1, 10, 40, 120]) * random.between(0.5, 1.5),
    jitterMs: random.chance(0.3) ? random.between(0, 10) : 0,
    lossProbability: random.chance(0.6) ? random.between(0, lossMax) : 0,
    reorderProbability: random.chance(0.3) ? random.between(0, 0.1) : 0,
    reorderMs: 15,
    duplicateProbability: random.chance(0.3) ? random.between(0, 0.05) : 0,
    rateMbps: random.pick([1, 5, 20, 100]),
    queueBytes: random.pick([20_000, 60_000, 200_000]),
    mtuBytes: random.pick([1500, 1500, 1280, 1240]),
  };
}

function settingsOf(random: SeededRandom): Partial<TransportSettings> {
  const packets = random.pick([5, 40, 1_000_000]);
  return {
    keyUpdate: { firstPackets: Math.min(packets, 1_000), packets },
    ...(random.chance(0.3) ? { initialDataBytes: 20_000, dataBytesMax: 60_000 } : {}),
    ...(random.chance(0.3) ? { initialStreamDataBytes: 3_000, streamDataBytesMax: 30_000 } : {}),
    ...(random.chance(0.3) ? { streamsMax: random.integer(1, 5) } : {}),
  };
}

/** One run: who does what when. */
class Play {
  readonly made: MultiPathWorld;
  private readonly random: SeededRandom;
  private readonly weather: Weather;
  private readonly cut = new Set<number>();
  private addresses = 10;

  constructor(scenario: Scenario, weather: Weather) {
    this.random = scenario.random;
    this.weather = weather;
    const { random } = this;
    const world = scenario.world({
      joinProbability: random.chance(0.3) ? 0.5 : 0,
      timerLatenessMs: random.chance(0.3) ? 3 : 0,
    });
    this.made = new MultiPathWorld(world, {
      networks: Array.from({ length: random.integer(1, 3) }, () => linkOf(random, weather.lossMax)),
      ...(random.chance(0.5) ? { relay: linkOf(random, weather.lossMax) } : {}),
      settings: settingsOf(random),
    });
    for (const machine of this.machines) {
      machine.checkEvery = 4;
      machine.onStream = (record, nowMs) => {
        if (random.chance(0.1)) record.readPaused = true;
        machine.send(nowMs, record, this.size());
      };
    }
  }

  private get machines(): readonly [EndpointMachine, EndpointMachine] {
    return [this.made.a, this.made.b];
  }

  private size(): number {
    return this.random.integer(0, this.random.pick([0, 100, 3_000, 60_000, 200_000]));
  }

  /** Calls `act` with one side, at random, unless it sleeps. */
  private input(
    act: (machine: EndpointMachine, nowMs: number, connection: MultiPathWorld["connection"]) => void,
  ): void {
    const isA = this.random.chance(0.5);
    const host = isA ? this.made.hostA : this.made.hostB;
    const connection = isA ? this.made.connection : this.made.b.accepted[0];
    if (host.isAsleep || connection === undefined || connection.state !== "connected") return;
    host.input((nowMs) => act(isA ? this.made.a : this.made.b, nowMs, connection));
  }

  private record(machine: EndpointMachine): StreamRecord | undefined {
    const open = [...machine.records.values()].filter((record) => !record.closed);
    return open.length === 0 ? undefined : this.random.pick(open);
  }

  private withRecord(act: (record: StreamRecord, nowMs: number, machine: EndpointMachine) => void): void {
    this.input((machine, nowMs) => {
      const record = this.record(machine);
      if (record !== undefined) act(record, nowMs, machine);
    });
  }

  /** One operation. */
  step(): void {
    const { random, made } = this;
    const actions: readonly (readonly [number, () => void])[] = [
      [8, () => this.open()],
      [2, () => this.withRecord((record, nowMs, machine) => machine.reset(nowMs, record, 7))],
      [2, () => this.withRecord((record, nowMs, machine) => machine.stopSending(nowMs, record, 8))],
      [3, () => this.withRecord((record) => this.pauseReading(record))],
      [3, () => this.input((machine) => this.resumeReading(machine))],
      [2, () => this.input((_, nowMs, connection) => connection.probe(nowMs, this.someRoute(connection)))],
      [2, () => this.input((_, __, connection) => connection.sendDatagram(new Uint8Array(random.integer(0, 1_400))))],
      [1, () => this.input((_, __, connection) => connection.sendCandidates(new Uint8Array(random.integer(0, 600))))],
      [1, () => this.input((_, __, connection) => connection.ping())],
      [1, () => this.input((_, __, connection) => connection.onNetworkChange())],
      [3, () => this.outage(random.integer(0, made.lanes.length - 1))],
      [1, () => this.sleep(random.pick([made.hostA, made.hostB]))],
      [1, () => this.rebind(random.pick([made.hostA, made.hostB]))],
      [1, () => this.changeWeather()],
    ];
    let at = random.between(
      0,
      actions.reduce((sum, [weight]) => sum + weight, 0),
    );
    for (const [weight, act] of actions) {
      at -= weight;
      if (at >= 0) continue;
      act();
      return;
    }
  }

  private open(): void {
    this.input((machine, nowMs, connection) => {
      const stream = connection.openStream(nowMs);
      if (stream !== undefined) machine.send(nowMs, machine.track(stream), this.size());
    });
  }

  private pauseReading(record: StreamRecord): void {
    record.readPaused = true;
  }

  private resumeReading(machine: EndpointMachine): void {
    for (const record of machine.records.values()) {
      if (!record.readPaused) continue;
      record.readPaused = false;
      machine.read(record);
    }
  }

  private someRoute(connection: MultiPathWorld["connection"]) {
    return this.random.pick(this.made.lanes).routes[connection === this.made.connection ? 0 : 1];
  }

  private outage(lane: number): void {
    const { random, made } = this;
    if (this.cut.has(lane)) return;
    this.cut.add(lane);
    made.cut(lane, random.pick([undefined, undefined, "a", "b"]));
    made.world.after(random.between(0, this.weather.outageMsMax), () => {
      this.cut.delete(lane);
      made.mend(lane);
    });
  }

  private sleep(host: Host): void {
    if (host.isAsleep) return;
    host.pause({ packets: this.random.pick(["lost", "buffered"]) });
    this.made.world.after(this.random.between(0, this.weather.outageMsMax), () => host.resume());
  }

  /** The first network gives the host another address, or its NAT another port. */
  private rebind(host: Host): void {
    if (this.random.chance(0.5)) host.changePort(5_000 + this.addresses++);
    else host.changeAddress(`10.0.0.${this.addresses++}`);
  }

  private changeWeather(): void {
    const lane = this.random.pick(this.made.lanes);
    const link = linkOf(this.random, this.weather.lossMax);
    for (const end of lane.ends) {
      const { isCut } = end.up.settings;
      end.up.change({ ...link, isCut });
    }
  }

  /** The network is fair again, everybody is awake and reads. */
  heal(): void {
    const { made } = this;
    for (const host of [made.hostA, made.hostB]) if (host.isAsleep) made.world.runUntil(() => !host.isAsleep, 600_000);
    for (const [i, lane] of made.lanes.entries()) {
      made.mend(i);
      for (const end of lane.ends) for (const link of [end.up, end.down]) link.change(FAIR);
    }
    made.hostA.input(() => this.resumeReading(made.a));
    made.hostB.input(() => this.resumeReading(made.b));
    for (const machine of this.machines) machine.onStream = (record, nowMs) => machine.send(nowMs, record, 10);
  }

  /** What traversal does when addresses have changed: both sides ask where the other one is now. */
  findEachOther(): void {
    const { made } = this;
    made.hostA.input((nowMs) => {
      made.probeAllFrom(made.a, made.connection, made.hostB, nowMs);
    });
    made.hostB.input((nowMs) => made.probeAllFrom(made.b, made.accepted, made.hostA, nowMs));
  }
}

const FAIR: Partial<LinkSettings> = {
  lossProbability: 0,
  reorderProbability: 0,
  duplicateProbability: 0,
  jitterMs: 0,
  rateMbps: 50,
  queueBytes: 500_000,
  mtuBytes: 1500,
};

function run(scenario: Scenario, weather: Weather): void {
  const play = new Play(scenario, weather);
  const { made } = play;
  const { random } = scenario;
  made.start(random.integer(0, made.lanes.length - 1));
  for (let i = 0; i < weather.operations; i++) {
    made.world.runFor(random.pick([0, 1, 20, 100, 1_000]) * random.between(0, 2));
    play.step();
  }
  play.heal();
  const isOver = () => [...made.a.records.values(), ...made.b.records.values()].every((record) => record.closed);
  for (let i = 0; i < 120 && (i < 8 || !isOver()); i++) {
    if (i % 2 === 0) play.findEachOther();
    made.world.runFor(500);
  }
  assert.equal(made.a.endpoint.staleDeadlines + made.b.endpoint.staleDeadlines, 0);
  assert.equal(made.a.count("closed") + made.b.count("closed"), 0, "nothing of this ends a connection");
  const left = [...made.a.records.values(), ...made.b.records.values()].filter((record) => !record.closed);
  assert.ok(isOver(), `${left.length} streams never end: ${left.map((record) => describe(record)).join("; ")}`);
  for (const machine of [made.a, made.b]) {
    for (const record of machine.records.values()) checkDelivery(machine === made.a ? made.b : made.a, record);
  }
  checkSilence(made);
}

function describe(record: StreamRecord): string {
  const { stream } = record;
  return `${stream.id} sent ${record.sent}/${record.toSend} received ${record.received} ended ${record.ended} held ${stream.heldBytes} in "${stream.queue}"`;
}

/** What one side sent to the end arrived, unless one of the two gave it up. */
function checkDelivery(other: EndpointMachine, record: StreamRecord): void {
  const twin = [...other.records.values()].find(({ stream }) => stream.id === record.stream.id);
  assert.ok(twin, `stream ${record.stream.id} was never told of`);
  assert.ok(twin.received <= record.sent, "no byte is made up");
  if (record.resetSent || record.stopCode !== undefined || twin.stopSent) return;
  assert.equal(twin.received, record.toSend, `stream ${record.stream.id}: bytes delivered`);
  assert.ok(twin.ended, `stream ${record.stream.id}: FIN delivered`);
}

/** At rest nothing is in flight, nothing is held, and but for keepalives nothing is sent. */
function checkSilence(made: MultiPathWorld): void {
  made.world.runFor(150_000);
  const connections = [made.connection, made.accepted];
  const paths = connections.flatMap((connection) => connection.paths.all);
  // But for a keepalive that happens to be under way.
  for (let i = 0; i < 50 && paths.some((path) => path.bytesInFlight > 0); i++) made.world.runFor(20);
  for (const path of paths) assert.equal(path.bytesInFlight, 0, `path ${path.id} (${path.state}) at rest`);
  for (const connection of connections) {
    assert.equal(connection.streams.openCount, 0);
    const { window } = connection.streams;
    assert.equal(window.receivedBytes, window.consumedBytes, "all credit was given back");
  }
  const before = made.hostA.datagramsSent + made.hostB.datagramsSent;
  made.world.runFor(60_000);
  const sent = made.hostA.datagramsSent + made.hostB.datagramsSent - before;
  assert.ok(sent <= 16 * made.lanes.length, `${sent} datagrams in an idle minute`);
}

forSeeds(60, "whatever is done over good and bad networks, every stream ends as it should", (scenario) => {
  run(scenario, { lossMax: 0.1, outageMsMax: 5_000, operations: 60 });
});

forSeeds(25, "with a third of all packets lost and outages of minutes nothing is lost but time", (scenario) => {
  run(scenario, { lossMax: 0.3, outageMsMax: 150_000, operations: 40 });
});
