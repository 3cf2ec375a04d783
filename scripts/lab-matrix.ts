// Measures all pairs of NATs in the lab, and prints a table; scripts/lab.mjs starts it where namespaces may be made.
//
//   --runs N        runs of each pair; 3 unless told
//   --pairs A+B,…   only these, by the names of their kinds: port-restricted+symmetric; `*` stands for every kind of NAT, and `direct`
//                   for all pairs that are expected to meet directly
//   --lanes N       pairs that are under way side by side; 2 unless told. Only one at a time does what is timed.
//   --delay MS      round trip between the two sites, over the rendezvous as well; 0 unless told. Needs TUN devices, and is for IPv4.
//   --hops N        routers between the two sites' own, for packets that have few hops left; 3 unless told. None lie between two routers on one
//                   Ethernet, where two bad routers cannot meet but by packets that cross in flight.
//   --json          a JSON object a line instead of the table

import { availableParallelism, loadavg } from "node:os";
import { parseArgs } from "node:util";
import { measurePair, type NatPair } from "../test/lab/matrix-run.ts";
import { tableHead, tableLine } from "../test/lab/matrix-table.ts";
import { MatrixTurn } from "../test/lab/matrix-turn.ts";
import { faultsOf, matrixKinds, matrixPairs, meetingOf, siteKinds } from "../test/lab/matrix-verdict.ts";
import type { SiteKind } from "../test/lab/router-rules.ts";

const DIRECT_TIMEOUT_MS = 20_000;

const { values } = parseArgs({
  options: {
    runs: { type: "string", default: "3" },
    pairs: { type: "string" },
    lanes: { type: "string", default: "2" },
    delay: { type: "string", default: "0" },
    hops: { type: "string", default: "3" },
    json: { type: "boolean", default: false },
  },
});

function fail(message: string): never {
  process.stderr.write(`${message}\n`);
  process.exit(2);
}

function kindsOf(name: string | undefined): readonly SiteKind[] {
  if (name === "*") return matrixKinds;
  const kind = siteKinds.find((candidate) => candidate === name);
  if (kind === undefined)
    fail(`"${name}" is no kind of site; there are ${siteKinds.join(", ")}, and * for all kinds of NAT`);
  return [kind];
}

function chosenPairs(text: string | undefined): readonly NatPair[] {
  if (text === undefined) return matrixPairs;
  return text.split(",").flatMap((pair) => {
    if (pair === "direct") return matrixPairs.filter((candidate) => meetingOf(candidate) !== "relay");
    const [a, b] = pair.split("+");
    return kindsOf(a).flatMap((first) => kindsOf(b).map((second): NatPair => [first, second]));
  });
}

function wholeNumber(option: "runs" | "lanes" | "delay" | "hops", least: number): number {
  const number = Number(values[option]);
  if (Number.isInteger(number) && number >= least) return number;
  return fail(`--${option} is "${values[option]}"; it has to be a whole number from ${least} on`);
}

const runs = wholeNumber("runs", 1);
const lanes = wholeNumber("lanes", 1);
const roundTripMs = wholeNumber("delay", 0);
const hops = wholeNumber("hops", 0);
const pairs = chosenPairs(values.pairs);
const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

if (!values.json) say(tableHead());
let faulty = 0;
let busiest = 0;
const turn = new MatrixTurn();
const waiting = [...pairs];
/** Rows are told in the order of the pairs, whichever is done first. */
let told: Promise<void> = Promise.resolve();

async function measureNext(): Promise<void> {
  for (let pair = waiting.shift(); pair !== undefined; pair = waiting.shift()) {
    const measured = measurePair(pair, {
      runs,
      directTimeoutMs: DIRECT_TIMEOUT_MS,
      expectsDirect: (which) => meetingOf(which) !== "relay",
      turn,
      roundTripMs,
      hops,
    });
    told = told.then(async () => {
      const row = await measured;
      say(values.json ? JSON.stringify({ ...row, faults: faultsOf(row) }) : tableLine(row));
      if (faultsOf(row).length > 0) faulty++;
      busiest = Math.max(busiest, loadavg()[0] as number);
    });
    await measured;
  }
}

const startMs = performance.now();
await Promise.all(Array.from({ length: lanes }, measureNext));
await told;
if (!values.json) {
  const load = `${busiest.toFixed(1)} for ${availableParallelism()} cores`;
  const minutes = ((performance.now() - startMs) / 60_000).toFixed(1);
  const each = `${runs} run${runs === 1 ? "" : "s"} each`;
  say(
    `\n${pairs.length} pairs, ${each}, ${hops} routers between the sites, ${roundTripMs} ms of delay, ${faulty} with faults; ${minutes} minutes; highest load ${load}`,
  );
  if (busiest > availableParallelism()) say("The machine was busy with other things as well: the times say little.");
}
process.exit(faulty > 0 ? 1 : 0);
