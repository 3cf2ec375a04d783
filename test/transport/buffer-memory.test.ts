// How connections share memory: what all of them hold or were promised stays within it, whatever order they come and go in.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  BUFFER_MEMORY_BYTES,
  CONNECTION_WINDOW_BYTES,
  CONNECTION_WINDOW_BYTES_LEAST,
  CONNECTION_WINDOW_BYTES_MAX,
  PEERS_MAX,
  PEERS_PER_IDENTITY_MAX,
  RECEIVE_BLOCK_BYTES,
  RECEIVE_SLACK_BYTES,
} from "../../src/base/limits.ts";
import { BufferMemory, MemoryShare } from "../../src/transport/buffer-memory.ts";
import { ConnectionWindow } from "../../src/transport/flow-control.ts";
import { SendMemory } from "../../src/transport/send-memory.ts";

const MIB = 1024 * 1024;

/** A connection's accounts in both directions. */
class Member {
  readonly share: MemoryShare;
  readonly window: ConnectionWindow;
  readonly sending: SendMemory;

  constructor(memory: BufferMemory) {
    this.share = new MemoryShare(memory, CONNECTION_WINDOW_BYTES);
    this.window = new ConnectionWindow(this.share.firstBytes, CONNECTION_WINDOW_BYTES_MAX, this.share.receiving);
    this.sending = new SendMemory(this.share);
  }

  get unreadBytes(): number {
    return this.window.receivedBytes - this.window.consumedBytes;
  }

  /** Sends all that it may, as a peer that wants the widest windows does, of which nothing is read. */
  fill(): void {
    for (let left = 1; left > 0; ) {
      left = this.window.limitBytes - this.window.receivedBytes;
      this.window.onReceived(left);
      this.window.onBlocks(left);
      this.window.atLeast(CONNECTION_WINDOW_BYTES_MAX);
      this.window.update(0, 10);
    }
  }

  read(bytes: number): void {
    this.window.onConsumed(bytes);
    this.window.onBlocks(-bytes);
  }
}

const members = (memory: BufferMemory, count: number): Member[] =>
  Array.from({ length: count }, () => new Member(memory));
const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);

test("peers that fill their shares one after the other make us hold what there is, and not the sum of the shares that they had", () => {
  const all = members(new BufferMemory(BUFFER_MEMORY_BYTES), PEERS_PER_IDENTITY_MAX);
  for (const member of all) {
    member.fill();
    while (!member.sending.isFull) member.sending.change(64 * 1024);
  }
  const firstBytes = sum(all.map(({ share }) => share.firstBytes));
  const unread = sum(all.map(({ unreadBytes }) => unreadBytes));
  assert.ok(unread <= BUFFER_MEMORY_BYTES + firstBytes, `${unread} bytes unread`);
  const held = sum(all.map(({ sending }) => sending.heldBytes));
  assert.ok(held <= BUFFER_MEMORY_BYTES + firstBytes + all.length * 64 * 1024, `${held} bytes held`);
});

test("what all connections have from the start stays within the memory, but for the least that each needs", () => {
  const all = members(new BufferMemory(BUFFER_MEMORY_BYTES), PEERS_MAX);
  const firstBytes = sum(all.map(({ share }) => share.firstBytes));
  assert.ok(firstBytes <= BUFFER_MEMORY_BYTES + PEERS_MAX * CONNECTION_WINDOW_BYTES_LEAST, `${firstBytes} bytes`);
  assert.equal(all[BUFFER_MEMORY_BYTES / CONNECTION_WINDOW_BYTES - 1]?.share.firstBytes, CONNECTION_WINDOW_BYTES);
  assert.equal(all.at(-1)?.share.firstBytes, CONNECTION_WINDOW_BYTES_LEAST);
});

test("whoever leaves makes room for the first window of another", () => {
  const memory = new BufferMemory(2 * MIB);
  const all = members(memory, 3);
  assert.equal(all[2]?.share.firstBytes, CONNECTION_WINDOW_BYTES_LEAST);
  members(memory, 100);
  all[0]?.share.release();
  all[0]?.share.release();
  all[2]?.share.release();
  assert.equal(new Member(memory).share.firstBytes, CONNECTION_WINDOW_BYTES);
  assert.equal(new Member(memory).share.firstBytes, CONNECTION_WINDOW_BYTES_LEAST);
});

test("a hundred connections that once were busy leave another one all that they do not hold", () => {
  const memory = new BufferMemory(BUFFER_MEMORY_BYTES);
  for (const member of members(memory, 100)) {
    member.window.atLeast(CONNECTION_WINDOW_BYTES + 256 * 1024);
    member.window.update(0, 10);
    const bytes = member.window.limitBytes;
    member.window.onReceived(bytes);
    member.window.onConsumed(bytes);
    member.sending.change(20 * MIB);
    member.sending.change(-20 * MIB);
  }
  const late = new Member(memory);
  late.fill();
  assert.equal(late.unreadBytes, CONNECTION_WINDOW_BYTES_MAX);
  late.sending.change(24 * MIB - 1);
  assert.equal(late.sending.isFull, false);
});

test("streams of which each holds a byte in a block use up the memory as if all of it were bytes", () => {
  const memory = new BufferMemory(8 * MIB);
  const [first, second] = members(memory, 2) as [Member, Member];
  let blocks = 0;
  for (; first.window.hasRoomForBlock; blocks++) {
    first.window.onReceived(2);
    first.window.onBlocks(RECEIVE_BLOCK_BYTES);
  }
  const blockBytes = blocks * RECEIVE_BLOCK_BYTES;
  assert.ok(blockBytes > 1.9 * MIB && blockBytes <= 2 * MIB + RECEIVE_SLACK_BYTES + 2 * blocks, `${blockBytes} bytes`);
  second.fill();
  assert.ok(Math.abs(second.unreadBytes - (1 + (8 - 2) / 2) * MIB) < 4096, `${second.unreadBytes} bytes`);
  assert.ok(second.window.hasRoomForBlock, "a block in which bytes lie side by side is no waste");
  assert.ok(first.window.freeBytes > 0.9 * MIB, "the first window is there, however the blocks are filled");
});

test("a connection that is over takes nothing, though what it brought is still being read", () => {
  const memory = new BufferMemory(8 * MIB);
  const [gone, other] = members(memory, 2) as [Member, Member];
  gone.fill();
  gone.share.release();
  gone.read(1000);
  other.fill();
  assert.equal(other.unreadBytes, 5 * MIB);
});

test("room is told of when there is a little more of it, not for each byte", () => {
  let told = 0;
  const memory = new BufferMemory(64 * MIB);
  new MemoryShare(memory, 0, () => {
    told++;
  });
  const busy = new Member(memory);
  busy.fill();
  assert.equal(told, 0);
  for (let bytes = 0; bytes < 8 * MIB; bytes += 1024) busy.read(1024);
  assert.equal(told, 8);
  busy.share.release();
  assert.ok(told > 8);
});

type Step = {
  readonly who: number;
  readonly kind: "fill" | "receive" | "read" | "block" | "leave";
  readonly part: number;
};

test("whatever is received, read, taken and left: the memory is enough, and each has credit or unread bytes", () => {
  const step: fc.Arbitrary<Step> = fc.record({
    who: fc.nat(5),
    kind: fc.constantFrom("fill", "receive", "read", "read", "block", "leave"),
    part: fc.double({ min: 0, max: 1, noNaN: true }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 150 }), (steps) => {
      const memory = new BufferMemory(4 * MIB);
      const all = members(memory, 6);
      for (const { who, kind, part } of steps) {
        const member = all[who] as Member;
        const { window } = member;
        if (kind === "fill") member.fill();
        else if (kind === "receive") {
          const bytes = Math.floor((window.limitBytes - window.receivedBytes) * part);
          window.onReceived(bytes);
          window.onBlocks(bytes);
        } else if (kind === "read") {
          member.read(Math.floor(Math.min(member.unreadBytes, window.heldBytes) * part));
        } else if (kind === "block") {
          if (window.hasRoomForBlock) window.onBlocks(RECEIVE_BLOCK_BYTES);
        } else {
          member.share.release();
          all[who] = new Member(memory);
        }
        if (window.wantsUpdate) window.update(0, 10);
        const held = sum(all.map((each) => Math.max(each.window.limitBytes - each.window.consumedBytes, 0)));
        const slack = sum(all.map((each) => Math.max(0, each.window.heldBytes - each.unreadBytes)));
        const firstBytes = sum(all.map(({ share }) => share.firstBytes));
        assert.ok(held + slack <= 4 * MIB + firstBytes + all.length * RECEIVE_SLACK_BYTES, `${held} + ${slack}`);
        for (const each of all) {
          const creditBytes = each.window.limitBytes - each.window.receivedBytes;
          assert.ok(creditBytes + each.unreadBytes > 0 || each.window.wantsUpdate);
        }
      }
    }),
    { numRuns: 200 },
  );
});
