// Measures all pairs of NATs in the lab, and prints a table; scripts/lab.mjs starts it where namespaces may be made.
//
//   --runs N        runs of each pair; 3 unless told
//   --pairs A+B,…   only these, by the names of their kinds: port-restricted+symmetric; `*` stands for every kind
//   --json          a JSON object a line instead of the table

import { availableParallelism, loadavg } from "node:os";
import { parseArgs } from "node:util";
import { measurePair, type NatPair } from "../test/lab/matrix-run.ts";
import { tableHead, tableLine } from "../test/lab/matrix-table.ts";
import { faultsOf, matrixKinds, matrixPairs, meetingOf } from "../test/lab/matrix-verdict.ts";
import type { NatKind } from "../test/lab/router-rules.ts";

const DIRECT_TIMEOUT_MS = 20_000;

const { values } = parseArgs({
  options: {
    runs: { type: "string", default: "3" },
    pairs: { type: "string" },
    json: { type: "boolean", default: false },
  },
});

function fail(message: string): never {
  process.stderr.write(`${message}\n`);
  process.exit(2);
}

function kindsOf(name: string | undefined): readonly NatKind[] {
  if (name === "*") return matrixKinds;
  const kind = matrixKinds.find((candidate) => candidate === name);
  if (kind === undefined)
    fail(`"${name}" is no kind of NAT; there are ${matrixKinds.join(", ")}, and * for all of them`);
  return [kind];
}

function chosenPairs(text: string | undefined): readonly NatPair[] {
  if (text === undefined) return matrixPairs;
  return text.split(",").flatMap((pair) => {
    const [a, b] = pair.split("+");
    return kindsOf(a).flatMap((first) => kindsOf(b).map((second): NatPair => [first, second]));
  });
}

const runs = Number(values.runs);
if (!Number.isInteger(runs) || runs < 1) fail(`--runs is "${values.runs}"; it has to be a whole number from 1 on`);
const pairs = chosenPairs(values.pairs);
const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

if (!values.json) say(tableHead());
let faulty = 0;
let busiest = 0;
for (const pair of pairs) {
  const row = await measurePair(pair, {
    runs,
    directTimeoutMs: DIRECT_TIMEOUT_MS,
    expectsDirect: (which) => meetingOf(which) !== "relay",
  });
  say(values.json ? JSON.stringify({ ...row, faults: faultsOf(row) }) : tableLine(row));
  if (faultsOf(row).length > 0) faulty++;
  busiest = Math.max(busiest, loadavg()[0] as number);
}
if (!values.json) {
  const load = `${busiest.toFixed(1)} for ${availableParallelism()} cores`;
  say(`\n${pairs.length} pairs, ${runs} run${runs === 1 ? "" : "s"} each, ${faulty} with faults; highest load ${load}`);
  if (busiest > availableParallelism()) say("The machine was busy with other things as well: the times say little.");
}
process.exit(faulty > 0 ? 1 : 0);
