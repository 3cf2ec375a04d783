// Pinned keys of rendezvous: believed once, then held to.

import assert from "node:assert/strict";
import { readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { createIdentity } from "../../src/crypto/identity.ts";
import { formatPeerId } from "../../src/crypto/peer-id.ts";
import { RendezvousPins } from "../../src/daemon/rendezvous-pins.ts";
import { systemRandom } from "../../src/io/system-random.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

const key = (): Uint8Array => createIdentity(systemRandom).publicKey;
const place = { host: "meet.example", port: 4700 };

test("a key is pinned once, for its address alone, and found by another process", (t) => {
  const state = temporaryDirectory(t);
  const pins = new RendezvousPins(state);
  const first = key();
  assert.equal(pins.get(place), undefined);
  assert.deepEqual(pins.pin(place, first), first);
  assert.deepEqual(pins.pin(place, key()), first, "a second key does not take its place");
  assert.deepEqual(new RendezvousPins(state).get(place), first);
  assert.equal(pins.get({ host: "meet.example", port: 4701 }), undefined);
  const six = { host: "2001:db8::1", port: 4700 };
  assert.deepEqual(pins.pin(six, first), first);
  assert.deepEqual(pins.get(six), first);
});

test("a changed key is told with both keys and the command that forgets the old one, which works", (t) => {
  const state = temporaryDirectory(t);
  const pins = new RendezvousPins(state);
  const [old, now] = [key(), key()];
  pins.pin(place, old);
  const { message } = pins.changed(place, old, now);
  assert.match(message, new RegExp(formatPeerId(old)));
  assert.match(message, new RegExp(formatPeerId(now)));
  const path = /rm (\S+)$/.exec(message)?.[1] as string;
  rmSync(path);
  assert.equal(pins.get(place), undefined);
});

test("a damaged pin is refused, not replaced", (t) => {
  const state = temporaryDirectory(t);
  const pins = new RendezvousPins(state);
  pins.pin(place, key());
  const directory = join(state, "rendezvous-pins");
  writeFileSync(join(directory, readdirSync(directory)[0] as string), "meet.example:4700 nonsense\n");
  assert.throws(() => pins.get(place), /is damaged/);
});
