// Chunks of a stream that leave in whole batches, between two endpoints whose packets arrive at once.

import assert from "node:assert/strict";
import { test } from "node:test";
import { BATCH_PACKETS_MAX, WRITE_CHUNK_BYTES } from "../../src/base/limits.ts";
import { TRANSMIT_BYTES_MAX, Transmit } from "../../src/base/transmit.ts";
import { packetsInBatch } from "../../src/transport/batch-size.ts";
import { CongestionCubic } from "../../src/transport/congestion-cubic.ts";
import { SeededRandom } from "../sim/seeded-random.ts";
import { Tap, take } from "./datagram-tap.ts";
import { EndpointMachine, pattern } from "./endpoint-machine.ts";

/** Neither window nor pace hold anything back. */
class Unbounded extends CongestionCubic {
  override get windowBytes(): number {
    return 1e9;
  }
  override pacingBytesPerMs(): number {
    return Number.POSITIVE_INFINITY;
  }
}

/** @returns the bytes of each batch in which a chunk of the asked size leaves, on a stream that has come some way. */
function batchesOfChunk(datagramBytesMax: number): { batches: number[]; datagramBytes: number; chunkBytes: number } {
  const random = new SeededRandom(7);
  const settings = {
    datagramBytesMax,
    initialStreamDataBytes: 1024 * 1024,
    congestion: (packetBytes: number) => new Unbounded(packetBytes),
  };
  const tap = new Tap(new EndpointMachine(random.fork("a"), settings), new EndpointMachine(random.fork("b"), settings));
  const connection = tap.a.connect(tap.nowMs, tap.b.identity, tap.addressB);
  tap.pass(5_000);
  const { stream } = tap.a.open(tap.nowMs, connection);
  stream.write(tap.nowMs, pattern(stream.id, 0, 100_000));
  tap.pass(5_000);
  // The peer is owed an acknowledgement, which goes in front.
  const back = [...tap.b.records.values()][0] ?? assert.fail();
  back.stream.write(tap.nowMs, pattern(stream.id, 0, 10));
  for (const { bytes } of take(tap.b, tap.nowMs)) tap.a.handleDatagram(tap.nowMs, tap.addressB, bytes);
  const { chunkBytes } = stream;
  stream.write(tap.nowMs, pattern(stream.id, 100_000, chunkBytes));
  const out = new Transmit();
  const batches: number[] = [];
  while (tap.a.pollTransmit(tap.nowMs, out)) batches.push(out.lengthBytes);
  return { batches, datagramBytes: connection.paths.active?.datagramBytes ?? 0, chunkBytes };
}

test("what a writer brings at a time leaves in whole batches, whatever the path's MTU", () => {
  for (const datagramBytesMax of [1_200, 1_472, 8_972, 65_507]) {
    const { batches, datagramBytes, chunkBytes } = batchesOfChunk(datagramBytesMax);
    assert.ok(datagramBytes > datagramBytesMax * 0.98, `${datagramBytes} bytes in a datagram`);
    assert.ok(chunkBytes <= WRITE_CHUNK_BYTES);
    const full = packetsInBatch(datagramBytes) * datagramBytes;
    for (const bytes of batches) {
      assert.ok(bytes > full * 0.97, `${batches.join(", ")} bytes, where a batch holds ${full}`);
    }
    assert.equal(batches.length, Math.floor(WRITE_CHUNK_BYTES / full), `${batches.join(", ")} of ${chunkBytes}`);
  }
});

test("a batch holds no more packets and bytes than the kernel takes", () => {
  assert.equal(packetsInBatch(500), BATCH_PACKETS_MAX);
  assert.equal(packetsInBatch(1_472), 44);
  assert.equal(packetsInBatch(TRANSMIT_BYTES_MAX), 1);
});
