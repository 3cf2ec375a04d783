// The messages in hex were put together by hand from the figures of RFC 6887 (§7.1, §7.2, §11.1).

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  decodePcpResponse,
  encodePcpAnnounce,
  encodePcpMap,
  isPcpVersionRefused,
  pcpOpcode,
  pcpResult,
} from "../../src/wire/pcp.ts";
import { fromHex, hex, mutated } from "./arbitrary.ts";

const nonce = fromHex("000102030405060708090a0b");

/** Granted for 7200 s at 203.0.113.9:41000, by a server that has been up for 65536 s. */
const granted = fromHex(`
  02 81 00 00 00001c20 00010000 000000000000000000000000
  000102030405060708090a0b 11 000000 a028 a028 00000000000000000000ffffcb007109`);

test("a request for a port of IPv4 is laid out as RFC 6887 draws it", () => {
  const mapping = { nonce, internalPort: 41_000, externalPort: 41_000, externalHost: "0.0.0.0" };
  assert.equal(
    hex(encodePcpMap("192.168.1.10", mapping, 7200)),
    hex(
      fromHex(`
      02 01 0000 00001c20 00000000000000000000ffffc0a8010a
      000102030405060708090a0b 11 000000 a028 a028 00000000000000000000ffff00000000`),
    ),
  );
});

test("giving a port of IPv6 back has no lifetime, no port and no address", () => {
  const mapping = { nonce, internalPort: 41_000, externalPort: 0, externalHost: "::" };
  assert.equal(
    hex(encodePcpMap("2001:db8::10", mapping, 0)),
    hex(
      fromHex(`
      02 01 0000 00000000 20010db8000000000000000000000010
      000102030405060708090a0b 11 000000 a028 0000 00000000000000000000000000000000`),
    ),
  );
});

test("an announcement asks for nothing but an answer", () => {
  assert.equal(
    hex(encodePcpAnnounce("192.168.1.10")),
    hex(fromHex("02 00 0000 00000000 00000000000000000000ffffc0a8010a")),
  );
});

test("a granted mapping is read whole", () => {
  assert.deepEqual(decodePcpResponse(granted), {
    opcode: pcpOpcode.map,
    result: pcpResult.success,
    lifetimeSeconds: 7200,
    epochSeconds: 65_536,
    mapping: { nonce, internalPort: 41_000, externalPort: 41_000, externalHost: "203.0.113.9" },
  });
});

test("an announcement of a server is read", () => {
  const response = decodePcpResponse(fromHex("02 80 00 00 00000000 00000005 000000000000000000000000"));
  assert.deepEqual(response, { opcode: 0, result: 0, lifetimeSeconds: 0, epochSeconds: 5, mapping: undefined });
});

test("a mapping of TCP is none of ours", () => {
  const ofTcp = granted.slice();
  ofTcp[36] = 6;
  assert.equal(decodePcpResponse(ofTcp)?.mapping, undefined);
});

test("a request, a wrong version, an odd length and one that is too long are no responses", () => {
  const changed = (at: number, value: number): Uint8Array => {
    const bytes = granted.slice();
    bytes[at] = value;
    return bytes;
  };
  assert.equal(decodePcpResponse(changed(1, 0x01)), undefined);
  assert.equal(decodePcpResponse(changed(0, 1)), undefined);
  assert.equal(decodePcpResponse(granted.subarray(0, 59)), undefined);
  assert.equal(decodePcpResponse(granted.subarray(0, 20)), undefined);
  const long = new Uint8Array(1104);
  long.set(granted);
  assert.equal(decodePcpResponse(long), undefined);
});

test("a version that is refused is seen in the answers of PCP and of NAT-PMP", () => {
  assert.ok(isPcpVersionRefused(fromHex("02 81 00 01 00000000 00010000 000000000000000000000000")));
  assert.ok(isPcpVersionRefused(fromHex("01 81 00 01")));
  assert.ok(isPcpVersionRefused(fromHex("00 81 0001 00010000")));
  assert.ok(!isPcpVersionRefused(fromHex("00 81 0101 00010000")), "NAT-PMP's result 257");
  assert.ok(!isPcpVersionRefused(fromHex("02 01 00 01")), "a request");
  assert.ok(!isPcpVersionRefused(granted));
});

test("no bytes make the decoder throw", () => {
  fc.assert(
    fc.property(mutated(fc.constant(granted)), (bytes) => {
      decodePcpResponse(bytes);
      isPcpVersionRefused(bytes);
    }),
  );
});
