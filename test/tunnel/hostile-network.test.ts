// A whole deployment on a network that belongs to an attacker: every datagram may come changed, cut, again, late, or under somebody
// else's address before it comes as it was sent, and packets of chance come in between. The tunnel does its work all the same, and the
// one whose address is forged is not flooded.

import assert from "node:assert/strict";
import { type SocketAddress, socketAddress } from "../../src/base/address.ts";
import { DATAGRAM_BYTES_MIN } from "../../src/base/limits.ts";
import type { Machine } from "../../src/base/machine.ts";
import type { Carrier } from "../../src/base/route.ts";
import type { Endpoint } from "../../src/transport/endpoint.ts";
import { forSeeds } from "../sim/for-seeds.ts";
import type { SeededRandom } from "../sim/seeded-random.ts";
import { Deployment, type Exchange } from "./deployment.ts";

const FORGED = socketAddress("203.0.113.66", 4000) ?? assert.fail();
/** Datagrams that the attacker keeps to send them again. */
const KEPT = 64;

interface Tapped {
  readonly from: SocketAddress;
  readonly bytes: Uint8Array;
}

interface TappedMachine extends Machine {
  handleDatagram(nowMs: number, from: SocketAddress, bytes: Uint8Array, carrier?: Carrier): void;
}

/** The attacker before one machine. */
class Attacker {
  private readonly random: SeededRandom;
  private readonly kept: Tapped[] = [];
  /** What came under the forged address, and what was sent there. */
  forgedBytes = 0;
  answeredBytes = 0;

  constructor(machine: TappedMachine, random: SeededRandom) {
    this.random = random;
    const handleDatagram = machine.handleDatagram.bind(machine);
    const pollTransmit = machine.pollTransmit.bind(machine);
    machine.handleDatagram = (nowMs, from, bytes, carrier) => {
      const original = new Uint8Array(bytes);
      for (const forged of this.forgeries({ from, bytes: original })) {
        if (forged.from === FORGED) this.forgedBytes += forged.bytes.length;
        handleDatagram(nowMs, forged.from, forged.bytes, carrier);
      }
      handleDatagram(nowMs, from, original.slice(), carrier);
    };
    machine.pollTransmit = (nowMs, out) => {
      if (!pollTransmit(nowMs, out)) return false;
      if (out.route?.remote.host === FORGED.host) this.countAnswer(out.lengthBytes);
      return true;
    };
  }

  private countAnswer(lengthBytes: number): void {
    this.answeredBytes += lengthBytes;
    const { answeredBytes, forgedBytes } = this;
    assert.ok(answeredBytes <= 3 * forgedBytes + DATAGRAM_BYTES_MIN, `${answeredBytes} bytes for ${forgedBytes}`);
  }

  private keep(tapped: Tapped): void {
    if (this.kept.length < KEPT) this.kept.push(tapped);
    else this.kept[this.random.integer(0, KEPT - 1)] = tapped;
  }

  /** What comes before a datagram. */
  private forgeries(original: Tapped): Tapped[] {
    const { random } = this;
    const forged: Tapped[] = [];
    const source = (): SocketAddress => (random.chance(0.5) ? original.from : FORGED);
    if (random.chance(0.3)) forged.push({ from: source(), bytes: this.changed(original.bytes) });
    if (random.chance(0.1) && this.kept.length > 0) {
      const old = this.kept[random.integer(0, this.kept.length - 1)] as Tapped;
      const bytes = random.chance(0.5) ? old.bytes.slice() : this.changed(old.bytes);
      forged.push({ from: random.chance(0.5) ? old.from : FORGED, bytes });
    }
    // The very datagram under another address; what comes from the right one is then the repetition.
    if (random.chance(0.05)) forged.push({ from: FORGED, bytes: original.bytes.slice() });
    if (random.chance(0.05)) forged.push({ from: source(), bytes: this.noise() });
    if (random.chance(0.3)) this.keep(original);
    return forged;
  }

  private changed(bytes: Uint8Array): Uint8Array {
    const { random } = this;
    const cut = random.chance(0.2)
      ? new Uint8Array(bytes.subarray(0, random.integer(0, bytes.length)))
      : new Uint8Array(bytes);
    for (let edits = random.integer(1, 3); edits > 0 && cut.length > 0; edits--) {
      // The headers, which stand in front, are worth more attempts than what is sealed.
      const end = random.chance(0.7) ? Math.min(cut.length, 40) : cut.length;
      cut[random.integer(0, end - 1)] = random.integer(0, 255);
    }
    return cut;
  }

  private noise(): Uint8Array {
    const bytes = new Uint8Array(this.random.integer(1, 1_400));
    this.random.fill(bytes);
    bytes[0] = this.random.chance(0.2) ? this.random.integer(0, 255) : 0xc0 + this.random.integer(0, 8);
    if (bytes.length > 3 && this.random.chance(0.7)) bytes.set([bytes.length >> 8, bytes.length & 0xff], 2);
    return bytes;
  }
}

/** What each machine sent to the forged address, in all runs together: in some the attacker hits on nothing that is answered. */
const answered = [0, 0, 0];
forSeeds(3, "on a hostile network everything arrives, and nobody is flooded in the attacker's stead", (scenario) => {
  const world = scenario.world();
  const deployment = new Deployment(world, {
    a: "portRestricted",
    b: scenario.seed % 2 === 0 ? "symmetric" : "fullCone",
  });
  const { device, laptop, server } = deployment;
  const machines = [device.agent, laptop.agent, server] as const;
  const attackers = machines.map((machine, i) => new Attacker(machine, scenario.random.fork(`attacker ${i}`)));
  deployment.expose();
  const dial = deployment.connect(30_000);
  device.answerBytes = 400_000;
  const exchanges = Array.from({ length: 4 }, (_, i) => laptop.request(dial, 30_000 * i) as Exchange);
  world.runUntil(() => exchanges.every((exchange) => exchange.ended), 60_000);
  for (const [i, { received, toSend }] of exchanges.entries())
    assert.deepEqual([received, toSend], [400_000, 30_000 * i]);
  world.runFor(30_000);
  for (const [i, machine] of machines.entries()) {
    const { endpoint } = machine as unknown as { readonly endpoint: Endpoint };
    assert.equal(endpoint.staleDeadlines, 0);
    const { forgedBytes, answeredBytes } = attackers[i] as Attacker;
    assert.ok(forgedBytes > 1_000);
    answered[i] = (answered[i] as number) + answeredBytes;
  }
  if (scenario.seed === 3) assert.ok(Math.min(...answered) > 0, `${answered}`);
});
