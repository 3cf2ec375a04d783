// What a peer that is admitted can make an agent do by what it says of itself: addresses, NATs and steps that are none. An agent must
// not become somebody's tool against a third party, nor fill its own router's table or run out of descriptors.

import assert from "node:assert/strict";
import { type SocketAddress, socketAddress } from "../../src/base/address.ts";
import {
  PUNCH_PROBES_BURST,
  PUNCH_PROBES_PER_SECOND,
  SEARCH_FLOWS_BURST,
  SEARCH_FLOWS_PER_SECOND,
} from "../../src/base/limits.ts";
import type { Connection } from "../../src/transport/connection.ts";
import { encodeCandidates, encodePunch, type NatBehaviour, type PunchBody } from "../../src/wire/candidate.ts";
import { forSeeds, type Scenario } from "../sim/for-seeds.ts";
import { type AgentHost, Deployment } from "./deployment.ts";
import { BEHAVIOURS } from "./meeting.ts";

const THIRD_PARTY = "203.0.113.200";
const at = (port: number, host = THIRD_PARTY): SocketAddress => socketAddress(host, port) ?? assert.fail();
const STEP_MS = 20;
const ATTACK_MS = 40_000;

interface Attack {
  /** How the NAT of the agent under attack behaves. */
  readonly ours: NatBehaviour;
  /** What the attacker says of its own. */
  readonly claimed: NatBehaviour;
  /** Said again and again. */
  punch?(step: number): PunchBody;
  /** Said again and again; once where there is none. */
  candidates?(step: number): readonly SocketAddress[];
}

interface Damage {
  /** Probes to anybody but the rendezvous and the attacker. */
  readonly probes: number;
  readonly targets: ReadonlySet<string>;
  readonly socketsOpened: number;
}

const connectionOf = ({ agent }: AgentHost): Connection => {
  const { peers } = agent as unknown as { readonly peers: ReadonlyMap<Connection, unknown> };
  return [...peers.keys()][0] ?? assert.fail("no peer");
};

/** Has the other one of two that are connected say these things to `side`. */
function attack(scenario: Scenario, side: "device" | "laptop", what: Attack): Damage {
  const world = scenario.world();
  const deployment = new Deployment(world, { a: "portRestricted", b: "portRestricted" });
  const { nats } = deployment;
  world.firewall.cut(nats.a, nats.b);
  const victim = deployment[side];
  const attacker = side === "device" ? deployment.laptop : deployment.device;
  const targets = new Set<string>();
  const known = new Set([nats.r.address.host, "198.51.100.1", "198.51.100.2", "10.1.0.2", "10.2.0.2"]);
  let probes = 0;
  const { agent } = victim;
  const pollTransmit = agent.pollTransmit.bind(agent);
  agent.pollTransmit = (nowMs, out) => {
    if (!pollTransmit(nowMs, out)) return false;
    const host = out.route?.remote.host as string;
    if (!known.has(host)) {
      probes++;
      targets.add(host);
    }
    return true;
  };
  deployment.expose();
  deployment.connect();
  world.runFor(5_000);
  victim.host.input((nowMs) => victim.agent.setNatBehaviour(nowMs, what.ours));
  const opened = (): number =>
    victim.events.reduce((sum, e) => sum + (e.type === "open-udp-sockets" ? e.carriers.length : 0), 0);
  const openedBefore = opened();
  const connection = connectionOf(attacker);
  // Its own search holds its tongue.
  const say = { candidates: connection.sendCandidates.bind(connection), punch: connection.sendPunch.bind(connection) };
  Object.assign(connection, { sendCandidates: () => {}, sendPunch: () => {} });
  for (let step = 0; step * STEP_MS < ATTACK_MS; step++) {
    attacker.host.input(() => {
      if (step === 0 || what.candidates !== undefined) {
        const addresses = what.candidates?.(step) ?? [at(1_000)];
        const candidates = addresses.map((address) => ({ type: "server-reflexive" as const, address }));
        say.candidates(encodeCandidates({ nat: what.claimed, candidates }));
      }
      if (what.punch !== undefined) say.punch(encodePunch(what.punch(step)));
    });
    world.runFor(STEP_MS);
  }
  assert.equal(connection.state, "connected");
  return { probes, targets, socketsOpened: opened() - openedBefore };
}

const { portRestricted, symmetric, symmetricSequential, badRouter } = BEHAVIOURS;
const eight = Array.from({ length: 8 }, (_, i) => at(2_000 + i));
/** Rounds that last long enough for all that belongs to them. */
const slowly = (step: number): number => Math.floor(step / 20);
const nowhere = [at(4748, "239.255.84.78"), at(9, "255.255.255.255"), at(53, "127.0.0.1"), at(53, "::1")];

const attacks: Record<string, Attack> = {
  "one spray after the other": {
    ours: portRestricted,
    claimed: symmetric,
    punch: (step) => ({ step: "spray", round: step, addresses: [] }),
  },
  "new candidates of a hard NAT all the time": {
    ours: portRestricted,
    claimed: symmetric,
    candidates: (step) => [at(1_000 + step)],
  },
  "new candidates of an easy NAT to one behind a hard one": {
    ours: symmetric,
    claimed: portRestricted,
    candidates: (step) => [at(1_000 + step)],
  },
  "thirty-two candidates, always others": {
    ours: portRestricted,
    claimed: portRestricted,
    candidates: (step) => Array.from({ length: 32 }, (_, i) => at(1_000 + step * 32 + i)),
  },
  "one crossing after the other": {
    ours: badRouter,
    claimed: badRouter,
    punch: (step) => ({ step: "crossing", round: step, addresses: eight }),
  },
  "crossings of addresses that nobody has": {
    ours: badRouter,
    claimed: badRouter,
    candidates: (step) => (step === 0 ? [at(1_000)] : []),
    punch: (step) => ({ step: "crossing", round: slowly(step), addresses: nowhere }),
  },
  "predictions for two hard NATs": {
    ours: symmetricSequential,
    claimed: symmetricSequential,
    punch: (step) => ({ step: "prediction", round: step, addresses: [at(3_000 + step)] }),
  },
  "predictions of a hard NAT": {
    ours: portRestricted,
    claimed: symmetricSequential,
    punch: (step) => ({ step: "prediction", round: step, addresses: [at(3_000 + step)] }),
  },
  "predictions of addresses that nobody has": {
    ours: portRestricted,
    claimed: symmetricSequential,
    candidates: (step) => (step === 0 ? [at(1_000)] : []),
    punch: (step) => ({ step: "prediction", round: slowly(step), addresses: [nowhere[step % 4] ?? assert.fail()] }),
  },
};

const flowsMax = SEARCH_FLOWS_BURST + (SEARCH_FLOWS_PER_SECOND * ATTACK_MS) / 1_000;
// A socket of a spray sends twice.
const probesMax = 2 * flowsMax + PUNCH_PROBES_BURST + (PUNCH_PROBES_PER_SECOND * ATTACK_MS) / 1_000;

for (const side of ["device", "laptop"] as const) {
  for (const [name, what] of Object.entries(attacks)) {
    forSeeds(1, `what a peer says makes the ${side} probe little and open few sockets: ${name}`, (scenario) => {
      const { probes, targets, socketsOpened } = attack(scenario, side, what);
      assert.ok(probes <= probesMax, `${probes} probes`);
      // Some fresh ones beside.
      assert.ok(socketsOpened <= flowsMax + 50, `${socketsOpened} sockets`);
      assert.deepEqual(
        [...targets].filter((host) => host !== THIRD_PARTY),
        [],
      );
    });
  }
}
