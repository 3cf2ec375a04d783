// Validation of ECN on one path, against counts as honest peers, plain sockets, bad routers and liars would tell them.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { EcnCounts } from "../../src/base/ecn.ts";
import { ECN_ALL_MARKED_ROUNDS_MAX, ECN_TEST_PACKETS, ECN_TESTS_MAX } from "../../src/base/limits.ts";
import { EcnValidation } from "../../src/transport/ecn-validation.ts";

/** A path whose packets are numbered one after the other, and what became of them. */
class Track {
  readonly ecn = new EcnValidation();
  next = 0;
  private readonly marked = new Set<number>();

  /** Sends packets. @returns how many of them were marked. */
  send(count: number, eliciting = true): number {
    let marked = 0;
    for (let i = 0; i < count; i++) {
      if (this.ecn.marks(eliciting)) {
        this.marked.add(this.next);
        this.ecn.onSent(eliciting);
        marked++;
      }
      this.next++;
    }
    return marked;
  }

  /** An ACK of these packets comes. @returns whether congestion is to be answered. */
  ack(first: number, last: number, counts: EcnCounts | undefined): boolean {
    for (let n = first; n <= last; n++) if (this.marked.delete(n)) this.ecn.onAcked(n);
    return this.ecn.onAck(counts, last, this.next);
  }

  lose(first: number, last: number): void {
    for (let n = first; n <= last; n++) if (this.marked.delete(n)) this.ecn.onLost(n, this.next);
  }
}

const arrived = (ect0: number, ce = 0, ect1 = 0): EcnCounts => ({ ect0, ect1, ce });

/** A path that has shown that it can. */
function capable(): Track {
  const track = new Track();
  track.send(5);
  track.ack(0, 4, arrived(5));
  assert.equal(track.ecn.state, "capable");
  return track;
}

test("ten packets are marked, then none until it is known what became of them, then all", () => {
  const track = new Track();
  assert.equal(track.send(25), ECN_TEST_PACKETS);
  assert.equal(track.ecn.state, "unknown");
  track.ack(0, 1, arrived(2));
  assert.equal(track.ecn.state, "capable");
  assert.equal(track.send(100), 100);
  assert.equal(track.send(1, false), 1);
});

test("a packet that only acknowledges is not marked in a test: nothing would tell that it was lost", () => {
  const track = new Track();
  assert.equal(track.send(3, false), 0);
  assert.equal(track.ecn.state, "testing");
});

test("a peer that tells no counts, or a way that clears the mark, ends it with the first acknowledgement", () => {
  const plain = new Track();
  plain.send(4);
  plain.ack(0, 0, undefined);
  assert.equal(plain.ecn.state, "failed");
  assert.equal(plain.send(10), 0);
  const bleached = new Track();
  bleached.send(4);
  bleached.ack(0, 3, arrived(0, 0));
  assert.equal(bleached.ecn.state, "failed");
});

test("counts that cannot be true end it: they go back, fall short, or tell of what was never sent", () => {
  const lies: Record<string, EcnCounts | undefined> = {
    "ECT(0) goes back": arrived(4, 6),
    "some that are acknowledged are missing": arrived(9),
    "more than were sent": arrived(11),
    "more with CE than were sent": arrived(5, 6),
    "ECT(1), which was never sent": arrived(10, 0, 1),
    "no counts any more": undefined,
  };
  for (const [name, counts] of Object.entries(lies)) {
    const track = capable();
    track.send(5);
    assert.equal(track.ack(5, 9, counts), false, name);
    assert.equal(track.ecn.state, "failed", name);
  }
  const back = capable();
  back.send(5);
  back.ack(5, 6, arrived(6, 1));
  back.ack(7, 9, arrived(10, 0));
  assert.equal(back.ecn.state, "failed", "CE goes back");
});

test("an acknowledgement that was lost, or names fewer packets than it counts, does not", () => {
  const track = capable();
  track.send(20);
  track.ack(20, 22, arrived(23));
  track.ack(5, 23, arrived(24));
  assert.equal(track.ecn.state, "capable");
});

test("congestion is answered once a round trip", () => {
  const track = capable();
  track.send(10);
  assert.equal(track.ack(5, 6, arrived(6, 1)), true);
  assert.equal(track.ack(7, 9, arrived(7, 3)), false, "sent before the answer");
  track.send(5);
  assert.equal(track.ack(10, 14, arrived(10, 5)), false, "sent before the answer");
  assert.equal(track.ack(15, 15, arrived(10, 6)), true);
  assert.equal(track.ack(16, 17, arrived(12, 6)), false, "no news");
});

test("a mark among the first packets is answered, where others come without", () => {
  const track = new Track();
  track.send(10);
  assert.equal(track.ack(0, 0, arrived(0, 1)), false);
  assert.equal(track.ecn.state, "unknown");
  assert.equal(track.ack(1, 2, arrived(1, 2)), true);
  assert.equal(track.ecn.state, "capable");
});

test("who marks all of the first packets is not believed", () => {
  const track = new Track();
  track.send(10);
  for (let n = 0; n < 10; n++) assert.equal(track.ack(n, n, arrived(0, n + 1)), false);
  assert.equal(track.ecn.state, "failed");
});

test("who goes on marking everything through a dozen answers is not believed either", () => {
  const track = capable();
  let answers = 0;
  for (let round = 0; round < 50; round++) {
    track.send(2);
    const last = track.next - 1;
    if (track.ack(last - 1, last, arrived(5, last - 4))) answers++;
  }
  assert.equal(answers, ECN_ALL_MARKED_ROUNDS_MAX);
  assert.equal(track.ecn.state, "failed");
});

test("where all marked packets are lost the mark is blamed, and the loss is no congestion", () => {
  const track = new Track();
  track.send(20);
  track.lose(0, 8);
  assert.equal(track.ecn.state, "unknown");
  track.lose(9, 9);
  assert.equal(track.ecn.state, "failed");
  assert.equal(track.ecn.takeLostToMark(), true);
  assert.equal(track.ecn.takeLostToMark(), false);
});

test("a probe timeout ends the test, and a few packets that were lost by chance do not condemn the path", () => {
  const track = new Track();
  for (let tests = 1; tests < ECN_TESTS_MAX; tests++) {
    assert.equal(track.send(1), 1);
    const lost = track.next - 1;
    track.ecn.onProbeTimeout(1, track.next);
    assert.equal(track.send(1), 0, "the probe bears no mark");
    track.lose(lost, lost);
    assert.equal(track.ecn.state, "testing");
    track.ack(lost + 1, lost + 1, undefined);
    assert.equal(track.ecn.state, "testing");
  }
  track.send(1);
  track.ecn.onProbeTimeout(1, track.next);
  track.lose(track.next - 1, track.next - 1);
  assert.equal(track.ecn.state, "failed");
});

test("after two probe timeouts a path is asked without the mark, and tested again when it answers", () => {
  const track = capable();
  track.send(5);
  track.ecn.onProbeTimeout(1, track.next);
  assert.equal(track.send(1), 1);
  track.ecn.onProbeTimeout(2, track.next);
  assert.equal(track.send(2), 0);
  track.lose(5, 10);
  assert.equal(track.ecn.state, "unknown", "what was lost before tells nothing of the mark");
  track.ack(11, 12, arrived(5));
  assert.equal(track.ecn.state, "testing");
  assert.equal(track.send(20), ECN_TEST_PACKETS);
  track.lose(13, 32);
  assert.equal(track.ecn.state, "failed");
});

test("an outage that was nothing but that costs no more than a test", () => {
  const track = capable();
  track.ecn.onProbeTimeout(2, track.next);
  track.send(1);
  track.ack(5, 5, arrived(5));
  track.send(3);
  track.ack(6, 6, arrived(6));
  assert.equal(track.ecn.state, "capable");
});

test("a path that leads elsewhere is tested anew, whatever the place before did to its counts", () => {
  const track = new Track();
  track.send(10);
  track.ack(0, 9, arrived(3, 0, 7));
  assert.equal(track.ecn.state, "failed");
  track.ecn.restart(track.next);
  assert.equal(track.send(4), 4);
  track.ack(10, 12, arrived(6, 0, 7));
  assert.equal(track.ecn.state, "capable");
});

test("no counts whatever, in no order of losses and timeouts, are an assertion, and a failed path marks nothing", () => {
  const count = fc.nat(30);
  const step = fc.oneof(
    fc.record({ kind: fc.constant("send" as const), count, eliciting: fc.boolean() }),
    fc.record({ kind: fc.constant("ack" as const), count, told: fc.option(fc.tuple(count, count, fc.nat(1))) }),
    fc.record({ kind: fc.constant("lose" as const), count }),
    fc.record({ kind: fc.constant("timeout" as const), count }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const track = new Track();
      let low = 0;
      for (const next of steps) {
        const wasFailed = track.ecn.state === "failed";
        if (next.kind === "send") assert.ok(track.send(next.count, next.eliciting) === 0 || !wasFailed);
        if (next.kind === "timeout") track.ecn.onProbeTimeout(next.count % 4, track.next);
        const last = Math.min(low + next.count, track.next - 1);
        if (last >= low && next.kind === "lose") track.lose(low, last);
        if (last >= low && next.kind === "ack") {
          const [ect0, ce, ect1] = next.told ?? [0, 0, 0];
          const answer = track.ack(low, last, next.told === null ? undefined : { ect0, ce, ect1 });
          assert.ok(!answer || track.ecn.state === "capable");
        }
        if (last >= low && next.kind !== "send" && next.kind !== "timeout") low = last + 1;
        if (wasFailed) assert.equal(track.ecn.state, "failed");
      }
    }),
    { numRuns: 2_000 },
  );
});
