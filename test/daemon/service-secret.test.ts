// The secrets of exposed services: kept over restarts, one a service, renewed when asked.

import assert from "node:assert/strict";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { loadServiceSecret, renewServiceSecret } from "../../src/daemon/service-secret.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

test("a service keeps its secret, and another service has another", (t) => {
  const state = temporaryDirectory(t);
  const first = loadServiceSecret(state, "target 127.0.0.1:3000");
  assert.equal(first.length, 16);
  assert.deepEqual(loadServiceSecret(state, "target 127.0.0.1:3000"), first);
  assert.notDeepEqual(loadServiceSecret(state, "target 127.0.0.1:3001"), first);
});

test("names that look alike in a file name are still different services", (t) => {
  const state = temporaryDirectory(t);
  assert.notDeepEqual(loadServiceSecret(state, "name a/b"), loadServiceSecret(state, "name a_b"));
  loadServiceSecret(state, `name ${"x".repeat(255)}`);
  loadServiceSecret(state, "name ../../escape");
  assert.deepEqual(readdirSync(state), ["services"]);
});

test("a renewed secret replaces the old one for good, and is private", (t) => {
  const state = temporaryDirectory(t);
  const first = loadServiceSecret(state, "name web");
  const second = renewServiceSecret(state, "name web");
  assert.notDeepEqual(second, first);
  assert.deepEqual(loadServiceSecret(state, "name web"), second);
  const files = readdirSync(join(state, "services"));
  assert.equal(files.length, 1);
  assert.equal(statSync(join(state, "services", files[0] as string)).mode & 0o777, 0o600);
});
