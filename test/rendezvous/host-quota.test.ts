// What is counted and limited by the address.

import assert from "node:assert/strict";
import { test } from "node:test";
import { socketAddress } from "../../src/base/address.ts";
import { ANSWERS_PER_HOST_BURST, HOST_RATE_BUCKETS } from "../../src/base/limits.ts";
import { HostQuota } from "../../src/rendezvous/host-quota.ts";
import { HostRateLimiter } from "../../src/rendezvous/host-rate-limiter.ts";
import { SharedBudget } from "../../src/rendezvous/shared-budget.ts";
import { SeededRandom } from "../sim/seeded-random.ts";

const at = (host: string) => socketAddress(host, 1000)!;

test("a host has room until it holds its most, and again when it gave one back", () => {
  const quota = new HostQuota(2);
  quota.take("a");
  quota.take("a");
  assert.equal(quota.hasRoom("a"), false);
  assert.equal(quota.hasRoom("b"), true);
  quota.giveBack("a");
  assert.equal(quota.hasRoom("a"), true);
});

test("a host is limited by its rate, and others are not limited with it", () => {
  const limiter = new HostRateLimiter(new SeededRandom(1), 10, ANSWERS_PER_HOST_BURST);
  let granted = 0;
  for (let i = 0; i < 1000; i++) if (limiter.take(0, at("192.0.2.1"))) granted++;
  assert.equal(granted, ANSWERS_PER_HOST_BURST);
  assert.equal(limiter.take(0, at("192.0.2.2")), true);
  assert.equal(limiter.take(99, at("192.0.2.1")), false);
  assert.equal(limiter.take(100, at("192.0.2.1")), true);
});

test("hosts spread over the buckets", () => {
  const limiter = new HostRateLimiter(new SeededRandom(7), 1, 1);
  let granted = 0;
  for (let i = 0; i < 1000; i++) if (limiter.take(0, at(`10.0.${i >> 8}.${i & 255}`))) granted++;
  // By chance alone 1000 of 4096 leave some 886 distinct.
  assert.ok(granted > 850, `${granted} of 1000 hosts, ${HOST_RATE_BUCKETS} buckets`);
});

test("a greedy holder uses the pool up and cannot touch what is guaranteed to others", () => {
  const budget = new SharedBudget(2, 100, 5);
  let held = 0;
  while (budget.take(held)) held++;
  assert.equal(held, 7);
  assert.equal(budget.take(0), true);
  assert.equal(budget.take(1), true);
  assert.equal(budget.take(2), false);
  budget.giveBack(held--);
  assert.equal(budget.take(2), true);
});

test("nobody holds more than the most of one holder, whatever the pool has", () => {
  const budget = new SharedBudget(2, 4, 1_000);
  let held = 0;
  while (budget.take(held)) held++;
  assert.equal(held, 4);
});

test("an IPv6 customer is limited as one host, from whichever of its addresses it asks", () => {
  const limiter = new HostRateLimiter(new SeededRandom(1), 10, ANSWERS_PER_HOST_BURST);
  let granted = 0;
  for (let i = 0; i < 1000; i++) if (limiter.take(0, at(`2001:db8:1:2${i % 10}::${i}`))) granted++;
  assert.equal(granted, ANSWERS_PER_HOST_BURST);
});
