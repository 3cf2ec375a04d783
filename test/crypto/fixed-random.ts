// A source of randomness that hands out what the test laid in, so that published vectors with their ephemeral keys can
// be run through code that draws its own.

import assert from "node:assert/strict";
import type { Random } from "../../src/base/random.ts";

export class FixedRandom implements Random {
  private readonly draws: Uint8Array[];

  /** @param draws what each call of `fill` gets, in turn. */
  constructor(...draws: Uint8Array[]) {
    this.draws = draws;
  }

  fill(bytes: Uint8Array): void {
    const next = this.draws.shift();
    assert(next !== undefined && next.length === bytes.length, `nobody expected a draw of ${bytes.length} bytes`);
    bytes.set(next);
  }
}
