// Key updates: each direction moves on by itself, packets that were on their way are still opened, and nothing else is.

import assert from "node:assert/strict";
import { test } from "node:test";
import { KEY_UPDATE_FIRST_PACKETS, KEY_UPDATE_PACKETS } from "../../src/base/limits.ts";
import { nodePacketCipher } from "../../src/crypto/node-packet-cipher.ts";
import { opensslPacketCipher, type PacketCipherFactory, sodiumPacketCipher } from "../../src/crypto/packet-cipher.ts";
import { type KeyUpdateSettings, PacketKeys } from "../../src/transport/packet-keys.ts";

const KEY_A = new Uint8Array(32).fill(1);
const KEY_B = new Uint8Array(32).fill(2);
const FRAMES = 20;
const HOLD_MS = 300;
const OFTEN: KeyUpdateSettings = { firstPackets: 4, packets: 4 };

interface Sealed {
  readonly bytes: Uint8Array;
  readonly phase: number;
  readonly path: number;
  readonly number: number;
  readonly epoch: number;
}

interface Pair {
  readonly sender: PacketKeys;
  readonly receiver: PacketKeys;
}

function pairOf(factory: PacketCipherFactory, settings: KeyUpdateSettings = OFTEN): Pair {
  return {
    sender: new PacketKeys(factory, KEY_A, KEY_B, settings),
    receiver: new PacketKeys(factory, KEY_B, KEY_A, settings),
  };
}

/** Seals one packet as the packet builder does. */
function seal(sender: PacketKeys, nowMs: number, path: number, number: number): Sealed {
  sender.maybeUpdate(nowMs, () => HOLD_MS);
  const bytes = new Uint8Array(16 + FRAMES + 16).fill(number & 0xff);
  sender.seal(bytes, 0, 16 + FRAMES, path, number);
  return { bytes, phase: sender.sendPhase, path, number, epoch: sender.sendEpoch };
}

function open(receiver: PacketKeys, nowMs: number, packet: Sealed): boolean {
  const bytes = packet.bytes.slice();
  const { phase, path, number } = packet;
  if (!receiver.open(nowMs, () => HOLD_MS, phase, bytes, 0, bytes.length, path, number)) return false;
  assert.ok(
    bytes.subarray(16, 16 + FRAMES).every((byte) => byte === (number & 0xff)),
    "opened to what was sealed",
  );
  return true;
}

for (const factory of [opensslPacketCipher(), sodiumPacketCipher(), nodePacketCipher()]) {
  if (factory === undefined) continue;

  test(`${factory.name}: the phase flips when enough packets were sealed and one of them was acknowledged`, () => {
    const { sender, receiver } = pairOf(factory);
    for (let n = 0; n < 10; n++) {
      const packet = seal(sender, 0, 1, n);
      assert.equal(packet.epoch, 0, "nothing was acknowledged yet");
      assert.ok(open(receiver, 0, packet));
    }
    sender.onAcked(0, 0);
    const flipped = seal(sender, HOLD_MS, 1, 10);
    assert.equal(flipped.phase, 1);
    assert.ok(open(receiver, HOLD_MS, flipped));
  });

  test(`${factory.name}: packets of the previous key are opened for a while after the update`, () => {
    const { sender, receiver } = pairOf(factory);
    const early = Array.from({ length: 6 }, (_, n) => seal(sender, 0, 1, n));
    sender.onAcked(0, 0);
    const flipped = seal(sender, HOLD_MS, 1, 6);
    assert.ok(open(receiver, 1_000, flipped));
    assert.ok(open(receiver, 1_000 + HOLD_MS - 1, early[0] as Sealed));
    assert.ok(!open(receiver, 1_000 + HOLD_MS, early[1] as Sealed), "and no longer");
  });

  test(`${factory.name}: a second update while the previous key is still held loses no packet`, () => {
    const { sender, receiver } = pairOf(factory);
    let number = 0;
    let nowMs = 0;
    for (let epoch = 0; epoch < 6; epoch++) {
      for (let i = 0; i < 5; i++) assert.ok(open(receiver, nowMs, seal(sender, nowMs, 1, number++)));
      sender.onAcked(sender.sendEpoch, nowMs);
      nowMs += HOLD_MS + 1;
      // The receiver takes a longer hold than the sender waits: it holds the old key when the next but one comes.
      const packet = seal(sender, nowMs, 1, number++);
      const bytes = packet.bytes.slice();
      const opened = receiver.open(nowMs, () => 10 * HOLD_MS, packet.phase, bytes, 0, bytes.length, 1, packet.number);
      assert.ok(opened, `epoch ${packet.epoch}`);
    }
    assert.ok(sender.sendEpoch >= 5);
  });

  test(`${factory.name}: a forged packet of the other phase moves nothing`, () => {
    const { sender, receiver } = pairOf(factory);
    const packet = seal(sender, 0, 1, 0);
    assert.ok(!open(receiver, 0, { ...packet, phase: 1 }));
    assert.ok(open(receiver, 0, packet));
    assert.ok(open(receiver, 0, seal(sender, 0, 2, 0)), "another path is another nonce");
    assert.ok(!open(receiver, 0, { ...packet, number: 5 }));
  });
}

const factory = nodePacketCipher();

test("an update waits until the packets of the epoch before can no longer be on their way", () => {
  const { sender } = pairOf(factory);
  for (let n = 0; n < 10; n++) seal(sender, 0, 1, n);
  sender.onAcked(0, 1_000);
  assert.equal(seal(sender, 1_000 + HOLD_MS - 1, 1, 10).epoch, 0);
  assert.equal(seal(sender, 1_000 + HOLD_MS, 1, 11).epoch, 1);
});

test("an acknowledgement of an older epoch confirms nothing", () => {
  const { sender } = pairOf(factory);
  for (let n = 0; n < 5; n++) seal(sender, 0, 1, n);
  sender.onAcked(0, 0);
  assert.equal(seal(sender, 500, 1, 5).epoch, 1);
  for (let n = 6; n < 20; n++) seal(sender, 600, 1, n);
  sender.onAcked(0, 700);
  assert.equal(seal(sender, 5_000, 1, 20).epoch, 1);
  sender.onAcked(1, 5_000);
  assert.equal(seal(sender, 6_000, 1, 21).epoch, 2);
});

test("the first update comes early, later ones seldom", () => {
  const sender = new PacketKeys(factory, KEY_A, KEY_B);
  assert.ok(KEY_UPDATE_FIRST_PACKETS < KEY_UPDATE_PACKETS);
  sender.onAcked(0, 0);
  let n = 0;
  while (n < KEY_UPDATE_FIRST_PACKETS) assert.equal(seal(sender, 1_000, 1, n++).epoch, 0);
  assert.equal(seal(sender, 1_000, 1, n++).epoch, 1);
  sender.onAcked(1, 1_000);
  for (let i = 0; i < 5_000; i++) assert.equal(seal(sender, 9_000, 1, n++).epoch, 1);
});
