// What ports tell of the order in which they are given, and what comes next.

import assert from "node:assert/strict";
import { test } from "node:test";
import { PORT_STEP_MAX } from "../../src/base/limits.ts";
import { portStride, predictedAddress } from "../../src/traversal/port-allocation.ts";
import { SeededRandom } from "../sim/seeded-random.ts";

test("ports in sequence have a stride, with others' ports in between and in any order behind the first", () => {
  assert.equal(portStride([5000, 5001, 5002, 5003]), 1);
  assert.equal(portStride([5000, 5002, 5004, 5006]), 2);
  assert.equal(portStride([5000, 5003, 5001, 5007]), 1);
  assert.equal(portStride([5000, 5004, 5000, 5008, 5002]), 2);
});

test("too few ports, large steps and falling ports are no sequence", () => {
  assert.equal(portStride([]), undefined);
  assert.equal(portStride([5000, 5001, 5002]), undefined);
  assert.equal(portStride([5000, 5000, 5000, 5000]), undefined);
  assert.equal(portStride([5000, 5001, 5002, 5003 + PORT_STEP_MAX]), undefined);
  assert.equal(portStride([5003, 5002, 5001, 5000]), undefined);
});

test("random ports do not look like a sequence", () => {
  const random = new SeededRandom(1);
  for (let i = 0; i < 100_000; i++) {
    const ports = Array.from({ length: 4 }, () => random.integer(1024, 65_535));
    assert.equal(portStride(ports), undefined, ports.join());
  }
});

test("what comes next is so many strides ahead, and after the highest port come the lowest", () => {
  const at = (port: number) => ({ family: 4, host: "192.0.2.1", port }) as const;
  assert.deepEqual(predictedAddress(at(5000), 2, 3), at(5006));
  assert.deepEqual(predictedAddress(at(65_535), 1, 1), at(1024));
  assert.deepEqual(predictedAddress(at(65_530), 1, 8), at(1026));
});
