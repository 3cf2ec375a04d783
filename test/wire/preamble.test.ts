// The first bytes of a forwarded stream, which come in pieces and from whoever opened it.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { closeCode, ProtocolError } from "../../src/base/protocol-error.ts";
import { decodePreamble, encodePreamble, PREAMBLE_BYTES_MAX, type Preamble } from "../../src/wire/preamble.ts";
import { bytesOf, counting, fromHex, hex, mutated, record, textOf } from "./arbitrary.ts";

const preamble: fc.Arbitrary<Preamble> = fc.oneof(
  record({ kind: fc.constant("secret" as const), secretTag: bytesOf(16), proof: bytesOf(16) }),
  record({ kind: fc.constant("service" as const), name: textOf(60) }),
);

test("a service behind a secret is asked for by tag and proof", () => {
  const bytes = encodePreamble({ kind: "secret", secretTag: counting(0x10, 16), proof: counting(0x20, 16) });
  assert.equal(hex(bytes), `0101${"101112131415161718191a1b1c1d1e1f"}${"202122232425262728292a2b2c2d2e2f"}`);
});

test("another service is asked for by name, the default one by an empty one", () => {
  assert.equal(hex(encodePreamble({ kind: "service", name: "käse" })), "0102056bc3a47365");
  assert.equal(hex(encodePreamble({ kind: "service", name: "" })), "010200");
});

test("a preamble is read back in front of whatever the application sends", () => {
  fc.assert(
    fc.property(preamble, fc.uint8Array({ maxLength: 40 }), (value, behind) => {
      const bytes = encodePreamble(value);
      assert.deepEqual(decodePreamble(Uint8Array.of(...bytes, ...behind)), {
        preamble: value,
        consumedBytes: bytes.length,
      });
    }),
  );
});

test("every beginning of a preamble is incomplete", () => {
  fc.assert(
    fc.property(preamble, (value) => {
      const bytes = encodePreamble(value);
      assert(bytes.length <= PREAMBLE_BYTES_MAX);
      for (let length = 0; length < bytes.length; length++) {
        assert.equal(decodePreamble(bytes.subarray(0, length)), "incomplete");
      }
    }),
  );
});

test("a name keeps the byte order mark that it begins with", () => {
  const decoded = decodePreamble(encodePreamble({ kind: "service", name: "\ufeffx" }));
  assert.deepEqual(decoded, { preamble: { kind: "service", name: "\ufeffx" }, consumedBytes: 7 });
});

test("the longest name fits", () => {
  const bytes = encodePreamble({ kind: "service", name: "x".repeat(255) });
  assert.equal(bytes.length, PREAMBLE_BYTES_MAX);
  assert.deepEqual(decodePreamble(bytes), {
    preamble: { kind: "service", name: "x".repeat(255) },
    consumedBytes: PREAMBLE_BYTES_MAX,
  });
});

test("a stream that begins otherwise is refused at the first byte that shows it", () => {
  for (const text of ["00", "02", "47", "0100", "0103", "0102 01 ff", "0102 02 c3 28"]) {
    assert.throws(
      () => decodePreamble(fromHex(text)),
      (error) => error instanceof ProtocolError && error.code === closeCode.violation,
      text,
    );
  }
});

test("no bytes make the decoder throw anything but a ProtocolError", () => {
  fc.assert(
    fc.property(mutated(preamble.map(encodePreamble)), (bytes) => {
      try {
        const decoded = decodePreamble(bytes);
        if (decoded === "incomplete") assert(bytes.length < PREAMBLE_BYTES_MAX);
        else assert.deepEqual(encodePreamble(decoded.preamble), bytes.slice(0, decoded.consumedBytes));
      } catch (error) {
        assert(error instanceof ProtocolError, String(error));
      }
    }),
    { numRuns: 1000 },
  );
});
