// The ban on clocks, randomness, timers, promises, sockets and event emitters in the pure layers.

import assert from "node:assert/strict";
import { test } from "node:test";
import { purityViolations } from "./purity.ts";
import { listed, readTree } from "./source-file.ts";

const found = (text: string, path = "src/transport/a.ts") => purityViolations([{ path, text }]).length;

test("the pure layers hold no clock, randomness, timer, promise, socket or event emitter", () => {
  assert.equal(listed(purityViolations(readTree())), "");
});

const impure = [
  "const now = Date.now();",
  "const now = new Date();",
  "const pick = clock ? Date : other;",
  "const now = performance.now();",
  "const now = process.hrtime.bigint();",
  "const x = Math.random();",
  "const x = Math\n  .random();",
  "crypto.getRandomValues(bytes);",
  "setTimeout(f, 10);",
  "const timer = setInterval;",
  "queueMicrotask(f);",
  "process.nextTick(f);",
  "async function f() {}",
  "const x = await y;",
  "function f(): Promise<void> {}",
  "y.then(f);",
  "class A extends EventEmitter {}",
  'const s = createSocket("udp4");',
  'fetch("http://x");',
  "console.log(1);",
  "const text = `$\u007bDate.now()}`;",
];

for (const text of impure) test(`found: ${text.replace("\n", " ")}`, () => assert.equal(found(text) > 0, true));

const pure = [
  "// Date.now() and setTimeout are banned here.",
  '/** Not a Promise. */ const text = "await Date.now()";',
  "const until = packet.performance;",
  "const header = { Date: 1 };",
  "const updated = 1; const asynchronous = 2; const dates = Dates;",
  "this.process(packet);",
  "process(packet: Uint8Array): void {}",
];

for (const text of pure) test(`allowed: ${text}`, () => assert.equal(found(text), 0));

test("node:crypto may hash and encrypt in crypto, but draws no randomness there", () => {
  assert.equal(found('import { createHmac } from "node:crypto";', "src/crypto/a.ts"), 0);
  assert.equal(found('import { createHmac, randomBytes } from "node:crypto";', "src/crypto/a.ts"), 1);
  assert.equal(found('import { generateKeyPairSync as g } from "node:crypto";', "src/crypto/a.ts"), 1);
  assert.equal(found('import * as crypto from "node:crypto";', "src/crypto/a.ts"), 1);
  assert.equal(found('import crypto from "node:crypto";', "src/crypto/a.ts"), 1);
  assert.equal(found("const key = nacl.sign.keyPair();", "src/crypto/a.ts"), 1);
  assert.equal(found("const key = nacl.sign.keyPair.fromSeed(seed);", "src/crypto/a.ts"), 0);
});

test("the layers around the pure ones may do all of it", () => {
  assert.equal(found("setTimeout(() => Date.now());", "src/io/a.ts"), 0);
  assert.equal(found("setTimeout(() => Date.now());", "test/sim/a.ts"), 0);
});
