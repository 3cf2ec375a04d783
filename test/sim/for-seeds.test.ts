// The runner of scenarios: each seed differs, equal seeds agree, and a failure tells how to replay it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { forSeeds, replayCommand, runSeed, type Scenario } from "./for-seeds.ts";
import { ProbeMachine } from "./probe-machine.ts";
import { SeededRandom } from "./seeded-random.ts";

function exchange(scenario: Scenario): void {
  const world = scenario.world();
  const a = world.addHost("A", { ip: "198.51.100.1", link: { delayMs: 5, jitterMs: 5 } });
  const machine = new ProbeMachine();
  a.run(machine);
  machine.send(a.address, new Uint8Array(scenario.random.integer(1, 1000)));
  world.runFor(50);
  assert.equal(machine.received.length, 1);
}

const seen: number[] = [];
forSeeds(10, "a scenario runs for each seed, and twice for the first", (scenario) => {
  seen.push(scenario.seed);
  exchange(scenario);
});

test("every seed was run", { skip: "SIM_SEED" in process.env || "SIM_SEEDS" in process.env }, () => {
  assert.deepEqual(seen, [1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
});

test("equal seeds give equal hashes", () => {
  assert.deepEqual(runSeed(3, "x", exchange), runSeed(3, "x", exchange));
  assert.notDeepEqual(runSeed(3, "x", exchange), runSeed(4, "x", exchange));
});

test("a failure names its seed, the command that replays it, and the latest packets", () => {
  const fail = (scenario: Scenario): void => {
    exchange(scenario);
    throw new Error("one is not two");
  };
  assert.throws(
    () => runSeed(17, "bytes (in order) don't get lost", fail),
    (error: Error) => {
      assert.match(error.message, /^seed 17 failed: one is not two$/m);
      assert.match(
        error.message,
        /^replay: SIM_SEED=17 node --test --test-name-pattern 'bytes \\\(in order\\\) don'\\''t get lost' .*for-seeds\.test\.[jt]s$/m,
      );
      assert.match(error.message, /deliver A {2}198\.51\.100\.1:4000 > 198\.51\.100\.1:4000/);
      assert.equal((error.cause as Error).message, "one is not two");
      return true;
    },
  );
});

test("a replay command names the test file from the working directory", () => {
  assert.equal(
    replayCommand(5, "a|b", `${process.cwd()}/dist/test/x.test.js`),
    "SIM_SEED=5 node --test --test-name-pattern 'a\\|b' dist/test/x.test.js",
  );
});

test("the generator is even, repeats from its seed, and its forks do not depend on what was drawn", () => {
  const random = new SeededRandom(42);
  const fork = random.fork("x");
  const counts = new Array<number>(10).fill(0);
  for (let i = 0; i < 100_000; i++) counts[random.integer(0, 9)] = (counts[random.integer(0, 9)] ?? 0) + 1;
  assert.ok(
    counts.every((count) => count > 0),
    `${counts}`,
  );
  const mean = Array.from({ length: 100_000 }, () => random.fraction()).reduce((a, b) => a + b) / 100_000;
  assert.ok(Math.abs(mean - 0.5) < 0.005, `${mean}`);
  assert.equal(random.fork("x").uint32(), fork.uint32());
  assert.notEqual(random.fork("x").uint32(), random.fork("y").uint32());
  const [first, second] = [new Uint8Array(99), new Uint8Array(99)];
  new SeededRandom(2 ** 40 + 1).fill(first);
  new SeededRandom(1).fill(second);
  assert.notDeepEqual(first, second);
});
