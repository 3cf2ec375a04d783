// The messages in hex are the test vectors of RFC 5769.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { STUN_UNKNOWN_ATTRIBUTES_MAX } from "../../src/base/limits.ts";
import { decodeStun, encodeStun, type StunMessage } from "../../src/wire/stun.ts";
import { bytesOf, counting, fromHex, hex, mutated, record, socketAddress, textOf } from "./arbitrary.ts";

/** §2.1: an ICE connectivity check with SOFTWARE, PRIORITY, ICE-CONTROLLED, USERNAME, MESSAGE-INTEGRITY, FINGERPRINT. */
const sampleRequest = fromHex(`
  00010058 2112a442 b7e7a701bc34d686fa87dfae
  80220010 5354554e207465737420636c69656e74
  00240004 6e0001ff
  80290008 932ff9b151263b36
  00060009 6576746a3a68367659202020
  00080014 9aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2
  80280004 e57a3bcf`);

/** §2.2: SOFTWARE "test vector" (padded with a space), XOR-MAPPED-ADDRESS, MESSAGE-INTEGRITY, FINGERPRINT. */
const sampleIpv4Response = fromHex(`
  0101003c 2112a442 b7e7a701bc34d686fa87dfae
  8022000b 7465737420766563746f7220
  00200008 0001a147e112a643
  00080014 2b91f599fd9e90c38c7489f92af9ba53f06be7d7
  80280004 c07d4c96`);

/** §2.3: the same with an IPv6 address. */
const sampleIpv6Response = fromHex(`
  01010048 2112a442 b7e7a701bc34d686fa87dfae
  8022000b 7465737420766563746f7220
  00200014 0002a1470113a9faa5d3f179bc25f4b5bed2b9d9
  00080014 a382954e4be67bf11784c97c8292c275bfe3ed41
  80280004 c8fb0b4c`);

/** §2.4: USERNAME, NONCE, REALM, MESSAGE-INTEGRITY and no FINGERPRINT. */
const sampleLongTermRequest = fromHex(`
  00010060 2112a442 78ad3433c6ad72c029da412e
  00060012 e3839ee38388e383aae38383e382afe382b90000
  0015001c 662f2f3439396b393534643
           64f4c33346f4c39465354767936347341
  0014000b 6578616d706c652e6f726700
  00080014 f67024656dd64a3e02b8e0712e85c9a28ca89666`);

const sampleTransaction = fromHex("b7e7a701bc34d686fa87dfae");
const v4 = { family: 4, host: "192.0.2.1", port: 32_853 } as const;
const v6 = { family: 6, host: "2001:db8:1234:5678:11:2233:4455:6677", port: 32_853 } as const;

test("the responses of RFC 5769 are read", () => {
  const expected = {
    class: "success",
    transactionId: sampleTransaction,
    software: "test vector",
    fingerprint: true,
    unknownRequired: [],
  };
  assert.deepEqual(decodeStun(sampleIpv4Response), { ...expected, xorMappedAddress: v4 });
  assert.deepEqual(decodeStun(sampleIpv6Response), { ...expected, xorMappedAddress: v6 });
});

test("the requests of RFC 5769 are read, and what we do not understand in them is listed", () => {
  assert.deepEqual(decodeStun(sampleRequest), {
    class: "request",
    transactionId: sampleTransaction,
    software: "STUN test client",
    fingerprint: true,
    unknownRequired: [0x0024],
  });
  assert.deepEqual(decodeStun(sampleLongTermRequest), {
    class: "request",
    transactionId: fromHex("78ad3433c6ad72c029da412e"),
    fingerprint: false,
    unknownRequired: [],
  });
});

test("any changed bit breaks the fingerprint", () => {
  for (let bit = 0; bit < 8 * sampleIpv4Response.length; bit++) {
    const bytes = sampleIpv4Response.slice();
    bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7));
    assert.notEqual(decodeStun(bytes)?.fingerprint, true, `bit ${bit}`);
  }
});

test("a binding request without attributes is 20 bytes", () => {
  const bytes = encodeStun({ class: "request", transactionId: counting(1, 12), fingerprint: false });
  assert.equal(hex(bytes), "000100002112a4420102030405060708090a0b0c");
});

test("each attribute has the bytes that its RFC draws", () => {
  const id = sampleTransaction;
  const idHex = hex(id);
  const cases: [Omit<StunMessage, "transactionId" | "fingerprint">, string][] = [
    [{ class: "success", xorMappedAddress: v4 }, `0101000c 2112a442 ${idHex} 00200008 0001a147e112a643`],
    [
      { class: "success", xorMappedAddress: v6 },
      `01010018 2112a442 ${idHex} 00200014 0002a1470113a9faa5d3f179bc25f4b5bed2b9d9`,
    ],
    [{ class: "success", mappedAddress: v4 }, `0101000c 2112a442 ${idHex} 00010008 00018055c0000201`],
    [{ class: "success", responseOrigin: v4 }, `0101000c 2112a442 ${idHex} 802b0008 00018055c0000201`],
    [{ class: "success", otherAddress: v4 }, `0101000c 2112a442 ${idHex} 802c0008 00018055c0000201`],
    [{ class: "indication", software: "tunnel" }, `0011000c 2112a442 ${idHex} 80220006 74756e6e656c0000`],
    [
      { class: "error", errorCode: { code: 420, reason: "Unknown" }, unknownAttributes: [0x24, 0x7fff] },
      `0111 0018 2112a442 ${idHex} 0009000b 00000414556e6b6e6f776e00 000a0004 00247fff`,
    ],
    [
      { class: "request", changeRequest: { changeAddress: true, changePort: false } },
      `00010008 2112a442 ${idHex} 00030004 00000004`,
    ],
    [
      { class: "request", changeRequest: { changeAddress: false, changePort: true } },
      `00010008 2112a442 ${idHex} 00030004 00000002`,
    ],
    [{ class: "request", responsePort: 4701 }, `00010008 2112a442 ${idHex} 00270004 125d0000`],
    [{ class: "request", paddingBytes: 5 }, `0001000c 2112a442 ${idHex} 00260005 0000000000000000`],
  ];
  for (const [fields, text] of cases) {
    const message: StunMessage = { ...fields, transactionId: id, fingerprint: false };
    assert.equal(hex(encodeStun(message)), text.replaceAll(" ", ""));
    assert.deepEqual(decodeStun(fromHex(text)), { ...message, unknownRequired: [] });
  }
});

test("the fingerprint covers a header that already counts it", () => {
  const bytes = encodeStun({ class: "request", transactionId: sampleTransaction, fingerprint: true });
  assert.equal(hex(bytes), `000100082112a442${hex(sampleTransaction)}80280004fdf6ae02`);
  assert.equal(decodeStun(bytes)?.fingerprint, true);
});

const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
const message: fc.Arbitrary<StunMessage> = record<StunMessage>({
  class: fc.constantFrom("request", "indication", "success", "error"),
  transactionId: bytesOf(12),
  mappedAddress: optional(socketAddress),
  xorMappedAddress: optional(socketAddress),
  errorCode: optional(record({ code: fc.integer({ min: 300, max: 699 }), reason: textOf(30) })),
  unknownAttributes: optional(fc.array(fc.nat(65_535), { maxLength: 5 })),
  software: optional(textOf(30)),
  changeRequest: optional(record({ changeAddress: fc.boolean(), changePort: fc.boolean() })),
  paddingBytes: optional(fc.nat(1400)),
  responsePort: optional(fc.integer({ min: 1, max: 65_535 })),
  responseOrigin: optional(socketAddress),
  otherAddress: optional(socketAddress),
  fingerprint: fc.boolean(),
}).map(
  (fields) =>
    Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as unknown as StunMessage,
);

test("messages are read back as they were written", () => {
  fc.assert(
    fc.property(message, (value) => {
      assert.deepEqual(decodeStun(encodeStun(value)), { ...value, unknownRequired: [] });
    }),
    { numRuns: 300 },
  );
});

test("of several attributes of one kind the first counts, and none behind an integrity check", () => {
  const id = hex(sampleTransaction);
  const twice = fromHex(`01010018 2112a442 ${id} 00010008 00018055c0000201 00010008 00018055c0000202`);
  assert.deepEqual(decodeStun(twice)?.mappedAddress, v4);
  const behind = fromHex(`01010024 2112a442 ${id} 00080014 ${"00".repeat(20)} 00010008 00018055c0000201`);
  assert.notEqual(decodeStun(behind), undefined);
  assert.equal(decodeStun(behind)?.mappedAddress, undefined);
});

test("the list of what is not understood names each once and is bounded", () => {
  const attributes = Array.from({ length: 100 }, (_, i) => `00${(0x80 + (i % 50)).toString(16)}0000`).join("");
  const bytes = fromHex(`00010190 2112a442 ${hex(sampleTransaction)} ${attributes} `);
  const unknown = decodeStun(bytes)?.unknownRequired;
  assert.deepEqual(
    unknown,
    Array.from({ length: STUN_UNKNOWN_ATTRIBUTES_MAX }, (_, i) => 0x80 + i),
  );
});

test("what is no well-formed binding message is refused", () => {
  const id = hex(sampleTransaction);
  const broken: Record<string, string> = {
    nothing: "",
    "a header that is cut": `00010000 2112a442 ${id.slice(2)}`,
    "another magic cookie": `00010000 2112a443 ${id}`,
    "another method": `00030000 2112a442 ${id}`,
    "a length that is not the message's": `00010004 2112a442 ${id}`,
    "a length that is no multiple of four": `00010002 2112a442 ${id} 0000`,
    "an attribute that reaches past the end": `00010004 2112a442 ${id} 80220001`,
    "an address of no known family": `0101000c 2112a442 ${id} 00010008 00038055c0000201`,
    "an IPv6 address of four bytes": `0101000c 2112a442 ${id} 00010008 00028055c0000201`,
    "port 0": `0101000c 2112a442 ${id} 00010008 00010000c0000201`,
    "an error of class 7": `01110008 2112a442 ${id} 00090004 00000700`,
    "a CHANGE-REQUEST of two bytes": `00010008 2112a442 ${id} 00030002 00000000`,
    "an odd list of unknown attributes": `01110008 2112a442 ${id} 000a0003 00240000`,
    "an attribute behind a right fingerprint": `0001000c 2112a442 ${id} 80280004 8efe89cd 80220000`,
  };
  for (const [name, text] of Object.entries(broken)) assert.equal(decodeStun(fromHex(text)), undefined, name);
});

test("no bytes make the decoder throw", () => {
  fc.assert(
    fc.property(mutated(message.map(encodeStun)), (bytes) => {
      // A length in the header that fits brings more of the inputs past the first check.
      const length = Math.max(0, bytes.length - 20) & ~3;
      const fitting = bytes.slice(0, 20 + length);
      if (fitting.length === 20 + length) fitting.set([length >> 8, length], 2);
      decodeStun(bytes);
      const decoded = decodeStun(fitting);
      if (decoded !== undefined) {
        const { unknownRequired, ...value } = decoded;
        assert.deepEqual(decodeStun(encodeStun(value)), { ...value, unknownRequired: [] });
      }
    }),
    { numRuns: 2000 },
  );
});

test("a message that came as a Buffer says the same however often it is read", () => {
  for (const sample of [sampleIpv4Response, sampleIpv6Response]) {
    const packet = Buffer.from(sample);
    assert.deepEqual(decodeStun(packet), decodeStun(sample));
    assert.deepEqual(decodeStun(packet), decodeStun(sample));
    assert.deepEqual([...packet], [...sample]);
  }
});
