// Runs a scenario over many seeds inside one test. A failure says which seed it was and prints the command that replays it.
// The first seed runs twice, and both runs have to leave the same trace: equal seed, equal run.

import assert from "node:assert/strict";
import { relative } from "node:path";
import { test } from "node:test";
import { SeededRandom } from "./seeded-random.ts";
import { SimulationError } from "./simulation-error.ts";
import { World, type WorldOptions } from "./world.ts";

/** One run of a scenario. */
export class Scenario {
  readonly seed: number;
  /** For what the scenario itself draws; machines and worlds draw from elsewhere. */
  readonly random: SeededRandom;
  readonly worlds: World[] = [];

  constructor(seed: number) {
    this.seed = seed;
    this.random = new SeededRandom(seed).fork("scenario");
  }

  /** A world of this run's seed, whose trace is printed if the run fails. */
  readonly world = (options: Partial<WorldOptions> = {}): World => {
    const world = new World({ seed: this.seed, ...options });
    this.worlds.push(world);
    return world;
  };
}

/** @returns a command for a POSIX shell that runs one seed of one test. */
export function replayCommand(seed: number, name: string, file: string): string {
  const pattern = name.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&").replaceAll("'", "'\\''");
  return `SIM_SEED=${seed} node --test --test-name-pattern '${pattern}' ${relative(process.cwd(), file)}`;
}

/** Runs one seed. @returns the hashes of its worlds' traces. @throws what the body throws, with the seed and how to replay it. */
export function runSeed(seed: number, name: string, body: (scenario: Scenario) => void): string[] {
  const scenario = new Scenario(seed);
  try {
    body(scenario);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const lines = [`seed ${seed} failed: ${reason}`, `replay: ${replayCommand(seed, name, process.argv[1] ?? ".")}`];
    // A deadline that was missed tells of the world and its packets already.
    const isTold = error instanceof SimulationError && reason.includes("latest packets:");
    if (!isTold)
      for (const world of scenario.worlds) lines.push(world.report(), "latest packets:", world.trace.format());
    throw new Error(lines.join("\n"), { cause: error });
  }
  return scenario.worlds.map((world) => world.trace.hash);
}

/**
 * Declares a test that runs `body` for the seeds 1 to `count`.
 * The environment variable SIM_SEED picks one seed, SIM_SEEDS replaces the count.
 */
export function forSeeds(count: number, name: string, body: (scenario: Scenario) => void): void {
  test(name, () => {
    const { SIM_SEED, SIM_SEEDS } = process.env;
    const first = SIM_SEED === undefined ? 1 : Number(SIM_SEED);
    const last = SIM_SEED === undefined ? Number(SIM_SEEDS ?? count) : first;
    assert.ok(Number.isSafeInteger(first) && Number.isSafeInteger(last), "SIM_SEED and SIM_SEEDS are whole numbers");
    const hashes = runSeed(first, name, body);
    const again = runSeed(first, name, body);
    assert.deepEqual(
      again,
      hashes,
      `seed ${first} ran differently the second time: something draws from outside the seed`,
    );
    for (let seed = first + 1; seed <= last; seed++) runSeed(seed, name, body);
  });
}
