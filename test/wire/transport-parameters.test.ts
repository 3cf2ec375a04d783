// The list of transport parameters: defaults, unknown ids, and what is refused.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ByteWriter } from "../../src/base/byte-writer.ts";
import {
  CANDIDATES_PARAMETER_BYTES_MAX,
  decodeTransportParameters,
  defaultTransportParameters,
  TRANSPORT_PARAMETERS_BYTES_MAX,
  type TransportParameters,
  writeTransportParameters,
} from "../../src/wire/transport-parameters.ts";
import { fromHex, hex, mutated, record, varintValue } from "./arbitrary.ts";

function encode(parameters: TransportParameters): Uint8Array {
  const writer = new ByteWriter(new Uint8Array(TRANSPORT_PARAMETERS_BYTES_MAX));
  writeTransportParameters(writer, parameters);
  return writer.written();
}

const parameters: fc.Arbitrary<TransportParameters> = record({
  maxDataBytes: varintValue,
  maxStreamDataBytes: varintValue,
  maxStreams: varintValue,
  idleTimeoutMs: varintValue,
  maxDatagramBytes: varintValue.map((value) => Math.max(value, 1200)),
});

test("parameters are a list of id, length and value", () => {
  const bytes = encode({
    maxDataBytes: 16_777_216,
    maxStreamDataBytes: 1_048_576,
    maxStreams: 100,
    idleTimeoutMs: 30,
    maxDatagramBytes: 65_507,
  });
  assert.equal(hex(bytes), "010481000000" + "020480100000" + "03024064" + "04011e" + "05048000ffe3");
});

test("parameters are read back as they were written, whatever follows an id 0", () => {
  fc.assert(
    fc.property(parameters, fc.uint8Array({ maxLength: 20 }), (value, behind) => {
      const bytes = encode(value);
      assert.deepEqual(decodeTransportParameters(bytes), value);
      assert.deepEqual(decodeTransportParameters(Uint8Array.of(...bytes, 0, ...behind)), value);
    }),
  );
});

test("candidates come along as they are, but for those that there is no room for", () => {
  const some = { ...defaultTransportParameters, candidates: Uint8Array.of(1, 3, 0, 0, 0) };
  assert.ok(hex(encode(some)).endsWith("06050103000000"));
  fc.assert(
    fc.property(parameters, fc.uint8Array({ maxLength: 120 }), (value, candidates) => {
      const fits = candidates.length <= CANDIDATES_PARAMETER_BYTES_MAX;
      assert.deepEqual(
        decodeTransportParameters(encode({ ...value, candidates })),
        fits ? { ...value, candidates } : value,
      );
    }),
  );
  assert.equal(decodeTransportParameters(fromHex("0601aa 0601aa")), undefined, "twice");
});

test("a missing parameter has its default", () => {
  assert.deepEqual(decodeTransportParameters(new Uint8Array(0)), defaultTransportParameters);
  assert.deepEqual(decodeTransportParameters(fromHex("0302 4064")), { ...defaultTransportParameters, maxStreams: 100 });
});

test("an unknown id is passed over", () => {
  assert.deepEqual(decodeTransportParameters(fromHex("3f 03 ffffff 03 01 07 7fff 00")), {
    ...defaultTransportParameters,
    maxStreams: 7,
  });
});

test("a list that cannot be read is refused as a whole", () => {
  const broken = {
    "a cut id": "40",
    "no length": "01",
    "a cut value": "01 04 8100",
    "a value shorter than its length": "01 02 05 00",
    "a value longer than its length": "01 01 4064",
    "an empty value": "01 00",
    "the same id twice": "03 01 07 03 01 08",
    "a value above 2^53 - 1": "01 08 c020000000000000",
    "a length above 2^53 - 1": "3f ffffffffffffffff",
    "datagrams below 1200 bytes": "05 02 44af",
  };
  for (const [reason, text] of Object.entries(broken)) {
    assert.equal(decodeTransportParameters(fromHex(text)), undefined, reason);
  }
});

test("no bytes make the decoder throw", () => {
  fc.assert(
    fc.property(mutated(parameters.map(encode)), (bytes) => {
      const decoded = decodeTransportParameters(bytes);
      if (decoded !== undefined) assert.deepEqual(decodeTransportParameters(encode(decoded)), decoded);
    }),
    { numRuns: 1000 },
  );
});
