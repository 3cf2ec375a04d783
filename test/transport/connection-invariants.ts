// What holds of every connection after every input once it has been drained. The simulations ask it all the time; each check
// names the rule that it stands for.

import assert from "node:assert/strict";
import { RECEIVE_SPACES_MAX, SENT_PACKETS_MAX } from "../../src/base/limits.ts";
import type { Connection } from "../../src/transport/connection.ts";
import type { Path } from "../../src/transport/path.ts";
import { packetState } from "../../src/transport/sent-packets.ts";
import type { Stream } from "../../src/transport/stream.ts";

/** The limits that were seen last, by whatever they belong to. */
const limits = new WeakMap<object, number>();

function neverShrinks(owner: object, limit: number, what: string): void {
  const before = limits.get(owner) ?? 0;
  assert.ok(limit >= before, `${what} shrank from ${before} to ${limit}`);
  limits.set(owner, limit);
}

/** Bytes in flight are the sum of the unacknowledged packets; the window admits two packets at least. */
function checkPath(path: Path): void {
  let bytes = 0;
  let packets = 0;
  for (let n = path.sent.lowestRemembered; n < path.sent.nextPacketNumber; n++) {
    const packet = path.sent.get(n);
    if (packet?.state !== packetState.inFlight) continue;
    bytes += packet.bytes;
    packets++;
  }
  assert.equal(path.bytesInFlight, bytes, `path ${path.id}: bytes in flight`);
  assert.equal(path.sent.packetsInFlight, packets, `path ${path.id}: packets in flight`);
  assert.ok(path.windowBytes >= 2 * path.datagramBytes, `path ${path.id}: window of ${path.windowBytes} bytes`);
  assert.ok(path.sent.rememberedPackets <= SENT_PACKETS_MAX, `path ${path.id}: remembers too much`);
  if (path.state === "failed") assert.equal(packets, 0, "nothing is in flight on a path that was given up");
}

/** Data that were sent never exceed what the peer allows, and no limit shrinks. */
function checkStream(stream: Stream): void {
  assert.ok(stream.send.credit.availableBytes >= 0, `stream ${stream.id}: sent beyond its limit`);
  neverShrinks(stream.send.credit, stream.send.credit.limitBytes, "a stream's limit");
  neverShrinks(stream.receive.window, stream.receive.window.limitBytes, "a stream's window");
  assert.ok(stream.receive.window.receivedBytes <= stream.receive.window.limitBytes);
}

/** Something to send implies that it goes now, or that a timer or an acknowledgement on its way will let it go. */
function checkProgress(connection: Connection, nowMs: number): void {
  const timeoutMs = connection.pollTimeout();
  // A host that has just woken up may look at its machines before their timers have fired.
  if (connection.isOverdue(nowMs)) return;
  assert.ok(timeoutMs > nowMs, `a deadline at ${timeoutMs} ms is still standing after all was drained at ${nowMs} ms`);
  const active = connection.paths.active;
  if (active === undefined) return;
  const waiting = connection.streams.hasToSend || connection.control.hasWanted() || connection.datagrams.length > 0;
  if (waiting) {
    const held = active.bytesInFlight > 0 || active.pacingAtMs < Number.POSITIVE_INFINITY;
    assert.ok(held, "there is something to send, and nothing that it waits for");
  }
  for (const path of connection.paths.all) {
    if (path.state === "failed" || path.bytesInFlight === 0) continue;
    assert.ok(timeoutMs <= path.recoveryAtMs, `path ${path.id}: packets in flight and no timer for them`);
    assert.notEqual(path.recoveryAtMs, Number.POSITIVE_INFINITY);
  }
  for (const stream of connection.streams.all) {
    const { send } = stream;
    if (send.wasReset || send.buffer.heldBytes === 0) continue;
    // What is held is in flight somewhere, or waits for its turn, or for the peer's credit.
    const inFlight = connection.paths.all.some((path) => path.bytesInFlight > 0);
    const blocked =
      send.newBytes === 0 || connection.streams.credit.availableBytes === 0 || stream.queue !== "none" || waiting;
    assert.ok(inFlight || blocked, `stream ${stream.id}: ${send.buffer.heldBytes} bytes are waited for by nobody`);
  }
}

/** @throws AssertionError where a rule is broken. Called when the connection has been drained at `nowMs`. */
export function checkConnection(connection: Connection, nowMs: number): void {
  if (connection.state !== "connected") return;
  for (const path of connection.paths.all) checkPath(path);
  assert.ok(connection.paths.all.filter((path) => path.active).length <= 1, "one path carries data");
  assert.ok(connection.spaces.size <= RECEIVE_SPACES_MAX);
  const { window, credit } = connection.streams;
  assert.ok(credit.availableBytes >= 0, "sent beyond the connection's limit");
  neverShrinks(credit, credit.limitBytes, "the connection's limit");
  neverShrinks(window, window.limitBytes, "the connection's window");
  let unread = 0;
  let held = 0;
  for (const stream of connection.streams.all) {
    checkStream(stream);
    unread += stream.receive.window.receivedBytes - stream.receive.window.consumedBytes;
    held += stream.heldBytes;
    assert.ok(!stream.send.paused || stream.heldBytes > 0, `stream ${stream.id}: nothing will wake its writer`);
  }
  const isUsedUp = window.consumedBytes === window.limitBytes;
  assert.ok(!isUsedUp || window.wantsUpdate, "all was read, and no credit is left or due");
  assert.equal(connection.streams.heldBytes, held, "what is held for sending");
  assert.equal(window.receivedBytes - window.consumedBytes, unread, "the connection owes credit for what is unread");
  checkProgress(connection, nowMs);
}
