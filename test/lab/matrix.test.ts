// A small cut of what `npm run lab` measures for all pairs of NATs: one of each way to meet, and of each that spoils it. Times are held to
// nothing here but the patience of the test, since this machine may be busy with anything.

import assert from "node:assert/strict";
import { test } from "node:test";
import { flowPeaks } from "./matrix-flows.ts";
import { type MatrixRow, measurePair, type NatPair } from "./matrix-run.ts";
import { tableLine } from "./matrix-table.ts";
import { MatrixTurn } from "./matrix-turn.ts";
import { delaysOf, FLOWS_MAX, faultsOf, matrixPairs, meetingOf, quantile } from "./matrix-verdict.ts";
import { hasIpv6 } from "./router-rules.ts";

const pairs: readonly NatPair[] = [
  ["none", "carrier-grade-symmetric"],
  ["full-cone", "carrier-grade"],
  ["port-restricted", "port-restricted"],
  ["port-restricted", "symmetric"],
  ["symmetric", "carrier-grade-symmetric"],
  ["bad-router", "address-restricted"],
  ["bad-router", "bad-router"],
  ["udp-blocked", "none"],
  ["dual-stack", "v6-firewall"],
];

for (const pair of pairs) {
  const meeting = meetingOf(pair);
  const how = meeting === "relay" ? "by the relay at least" : "directly";
  test(`${pair.join(" and ")} meet ${how}, and neither router is flooded`, async (context) => {
    const row = await measurePair(pair, {
      runs: 1,
      // A birthday may fail and be tried again when the routers have forgotten the first.
      directTimeoutMs: 60_000,
      expectsDirect: () => meeting !== "relay",
      turn: new MatrixTurn(),
      roundTripMs: 0,
      hops: 3,
    });
    context.diagnostic(tableLine(row));
    assert.deepEqual(faultsOf(row), [], row.runs[0]?.trouble);
  });
}

test("every pair of the nine kinds is measured once, and easy pairs are expected to meet at once", () => {
  assert.equal(matrixPairs.filter((pair) => !pair.some(hasIpv6)).length, 45);
  assert.equal(meetingOf(["none", "symmetric"]), "dialled-or-punched");
  assert.equal(meetingOf(["symmetric", "address-restricted"]), "dialled-or-punched");
  assert.equal(meetingOf(["bad-router", "bad-router"]), "dialled-or-punched");
  assert.equal(meetingOf(["carrier-grade-symmetric", "carrier-grade"]), "birthday");
  assert.equal(meetingOf(["symmetric", "carrier-grade-symmetric"]), "relay");
  assert.equal(meetingOf(["none", "udp-blocked"]), "relay");
  assert.equal(meetingOf(["dual-stack", "v6-firewall"]), "dialled-or-punched");
  assert.equal(meetingOf(["symmetric", "dual-stack"]), "birthday");
  assert.equal(meetingOf(["v6-firewall", "none"]), "relay");
});

test("peaks of flows are read from what conntrack says, the new ones in any second", () => {
  const line = (atSeconds: number, what: string): string =>
    `[${atSeconds.toFixed(6)}]\t    [${what}] udp      17 30 src=…`;
  const lines = [
    line(10, "NEW"),
    line(10.5, "NEW"),
    line(10.7, "DESTROY"),
    line(10.9, "NEW"),
    line(11.2, "NEW"),
    line(11.3, "NEW"),
    "conntrack v1.4.7 (conntrack-tools): 6 flow events have been shown.",
  ];
  assert.deepEqual(flowPeaks(lines), { alive: 4, newPerSecond: 4 });
});

test("what is timed is done by one at a time, also after one has failed", async () => {
  const turn = new MatrixTurn();
  const seen: string[] = [];
  const take = (name: string): Promise<void> =>
    turn.take(async () => {
      seen.push(`${name} begins`);
      await Promise.resolve();
      seen.push(`${name} ends`);
      if (name === "b") throw new Error("b fails");
    });
  await Promise.allSettled([take("a"), take("b"), take("c")]);
  assert.deepEqual(seen, ["a begins", "a ends", "b begins", "b ends", "c begins", "c ends"]);
});

test("a row names each fault once, and times apart from them", () => {
  const flows = [
    { alive: FLOWS_MAX + 1, newPerSecond: 10 },
    { alive: 5, newPerSecond: 10 },
  ] as const;
  const run = {
    via: "relay",
    family: 4,
    firstByteMs: 400,
    directMs: undefined,
    isWhole: true,
    flows,
    trouble: "",
  } as const;
  const nat = { udp: false } as const;
  const row: MatrixRow = { pair: ["none", "symmetric"], observed: [nat, nat], runs: [run, run], roundTripMs: 0 };
  assert.deepEqual(faultsOf(row), ["relay instead of direct", "1001 flows in a router"]);
  assert.deepEqual(delaysOf(row), ["direct p50 never", "direct p95 never", "first byte 400 ms"]);
  const direct: MatrixRow = {
    ...row,
    runs: [20, 30, 700].map((directMs) => ({
      ...run,
      via: "direct",
      directMs,
      firstByteMs: 10,
      flows: [flows[1], flows[1]],
    })),
  };
  assert.deepEqual([faultsOf(direct), delaysOf(direct)], [[], ["direct p95 700 ms"]]);
  const easy: MatrixRow = { ...direct, pair: ["none", "none"], roundTripMs: 200 };
  assert.deepEqual(delaysOf(easy), ["direct p95 700 ms"], "three round trips are 600 ms");
  assert.deepEqual(delaysOf({ ...easy, roundTripMs: 240 }), []);
});

test("quantiles are values that were measured", () => {
  assert.equal(quantile([], 0.5), undefined);
  assert.deepEqual(
    [0.5, 0.95, 1].map((share) => quantile([3, 1, 2], share)),
    [2, 3, 3],
  );
  assert.equal(quantile([4, 1, 3, 2], 0.5), 2);
});
