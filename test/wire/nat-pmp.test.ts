// The messages in hex were put together by hand from the figures of RFC 6886 (§3.2, §3.3).

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  decodeNatPmpResponse,
  encodeNatPmpAddressRequest,
  encodeNatPmpMap,
  natPmpOpcode,
  natPmpResult,
} from "../../src/wire/nat-pmp.ts";
import { fromHex, hex, mutated } from "./arbitrary.ts";

const addressAnswer = fromHex("00 80 0000 00010000 cb007109");
const mapAnswer = fromHex("00 81 0000 00010001 a028 a029 00000e10");

test("the requests are laid out as RFC 6886 draws them", () => {
  assert.equal(hex(encodeNatPmpAddressRequest()), "0000");
  const request = encodeNatPmpMap({ internalPort: 41_000, externalPort: 41_000, lifetimeSeconds: 7200 });
  assert.equal(hex(request), hex(fromHex("00 01 0000 a028 a028 00001c20")));
});

test("the router's address is read", () => {
  assert.deepEqual(decodeNatPmpResponse(addressAnswer), {
    opcode: natPmpOpcode.address,
    result: natPmpResult.success,
    epochSeconds: 65_536,
    address: "203.0.113.9",
    mapping: undefined,
  });
});

test("a mapping is read, with another port and a shorter life than were asked for", () => {
  assert.deepEqual(decodeNatPmpResponse(mapAnswer), {
    opcode: natPmpOpcode.mapUdp,
    result: natPmpResult.success,
    epochSeconds: 65_537,
    address: undefined,
    mapping: { internalPort: 41_000, externalPort: 41_001, lifetimeSeconds: 3600 },
  });
});

test("a refusal has a result and neither address nor mapping, even where the fields are there", () => {
  const refusal = decodeNatPmpResponse(fromHex("00 80 0003 00000007 00000000"));
  assert.equal(refusal?.result, natPmpResult.networkFailure);
  assert.equal(refusal?.address, undefined);
});

test("a request, another version and an answer that is cut off are no responses", () => {
  assert.equal(decodeNatPmpResponse(fromHex("00 01 0000 a028 a028 00001c20")), undefined);
  assert.equal(decodeNatPmpResponse(fromHex("02 80 0000 00010000 cb007109")), undefined);
  assert.equal(decodeNatPmpResponse(addressAnswer.subarray(0, 11)), undefined);
  assert.equal(decodeNatPmpResponse(mapAnswer.subarray(0, 15)), undefined);
});

test("no bytes make the decoder throw", () => {
  fc.assert(
    fc.property(mutated(fc.constantFrom(addressAnswer, mapAnswer)), (bytes) => {
      decodeNatPmpResponse(bytes);
    }),
  );
});
