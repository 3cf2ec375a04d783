// Addresses in text and in bytes: Node's own parser is the second opinion, RFC 5952 the authority on canonical text.

import assert from "node:assert/strict";
import { isIPv4, isIPv6 } from "node:net";
import { test } from "node:test";
import fc from "fast-check";
import {
  formatIp,
  formatSocketAddress,
  isMulticast,
  parseIp,
  parseSocketAddress,
  readSocketAddress,
  type SocketAddress,
  socketAddress,
  socketAddressBytes,
  writeSocketAddress,
} from "../../src/base/address.ts";
import { ByteReader, OutOfBounds } from "../../src/base/byte-reader.ts";
import { ByteWriter } from "../../src/base/byte-writer.ts";
import * as arbitrary from "../wire/arbitrary.ts";

test("an IPv4 address is four decimal numbers without leading zeros", () => {
  assert.deepEqual(parseIp("192.0.2.1"), Uint8Array.of(192, 0, 2, 1));
  for (const text of [
    "",
    "1.2.3",
    "1.2.3.4.5",
    "1.2.3.256",
    "01.2.3.4",
    "1.2.3.-4",
    " 1.2.3.4",
    "1.2.3.4 ",
    "1..3.4",
  ]) {
    assert.equal(parseIp(text), undefined, text);
  }
});

test("IPv6 text is written as RFC 5952 wants it", () => {
  const cases = [
    ["2001:DB8:0:0:0:0:0:1", "2001:db8::1"],
    ["2001:0db8::0001", "2001:db8::1"],
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
    ["2001:0:0:1:0:0:0:1", "2001:0:0:1::1"],
    ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    ["0:0:0:0:0:0:0:0", "::"],
    ["1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"],
    ["64:ff9b::192.0.2.33", "64:ff9b::c000:221"],
    ["fe80::", "fe80::"],
  ] as const;
  for (const [text, canonical] of cases) {
    assert.equal(formatIp(parseIp(text) as Uint8Array), canonical);
  }
});

test("IPv6 text that means nothing is refused", () => {
  const broken = [":", ":::", "::1::", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::", "12345::", "g::"];
  const misplacedQuads = ["192.0.2.1::", "::192.0.2.1:1", "1:192.0.2.1::2", "1:2:3:4:5:6:7:192.0.2.1", "::192.0.2"];
  for (const text of [...broken, ...misplacedQuads, "fe80::1%eth0", "[::1]", "::1 "]) {
    assert.equal(parseIp(text), undefined, text);
  }
});

test("an IPv4-mapped IPv6 address is the IPv4 address", () => {
  assert.deepEqual(parseIp("::ffff:192.0.2.1"), Uint8Array.of(192, 0, 2, 1));
  assert.deepEqual(socketAddress("::FFFF:c000:201", 80), { family: 4, host: "192.0.2.1", port: 80 });
  assert.equal(formatIp(arbitrary.fromHex("00000000000000000000ffffc0000201")), "192.0.2.1");
});

test("parsing accepts what Node takes for an address, and nothing else", () => {
  const piece = fc.constantFrom(":", "::", "1", "0", "ffff", "ab", "1.2.3.4", "256", ".", "01", "%", "[");
  const text = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(""));
  fc.assert(
    fc.property(fc.oneof(text, fc.ipV4(), fc.ipV6()), (candidate) => {
      const valid = (isIPv4(candidate) || isIPv6(candidate)) && !candidate.includes("%");
      assert.equal(parseIp(candidate) !== undefined, valid);
    }),
    { numRuns: 2000 },
  );
});

test("parsing what was formatted gives the address back", () => {
  fc.assert(
    fc.property(arbitrary.socketAddress, (address) => {
      assert.deepEqual(parseSocketAddress(formatSocketAddress(address)), address);
      assert.deepEqual(socketAddress(address.host, address.port), address);
    }),
  );
});

test("an address with a port is refused unless both are valid", () => {
  assert.deepEqual(parseSocketAddress("[2001:DB8::1]:443"), { family: 6, host: "2001:db8::1", port: 443 });
  const broken = ["1.2.3.4", "1.2.3.4:", "1.2.3.4:0", "1.2.3.4:65536", "1.2.3.4:-1", "1.2.3.4:8x", ":80", "::1:80"];
  for (const text of [...broken, "[::1]", "[::1]:", "[1.2.3.4]:80", "[]:80", "[::1%lo]:80", "example.org:80"]) {
    assert.equal(parseSocketAddress(text), undefined, text);
  }
  for (const port of [0, -1, 65_536, 1.5, Number.NaN]) assert.equal(socketAddress("192.0.2.1", port), undefined);
});

test("an address is family, bytes and port on the wire", () => {
  const cases = [
    ["192.0.2.1:4700", "04 c0000201 125c"],
    ["[2001:db8::1]:443", "06 20010db8000000000000000000000001 01bb"],
  ] as const;
  for (const [text, expected] of cases) {
    const address = parseSocketAddress(text);
    assert(address !== undefined);
    const writer = new ByteWriter(new Uint8Array(32));
    writeSocketAddress(writer, address);
    assert.equal(arbitrary.hex(writer.written()), expected.replaceAll(" ", ""));
    assert.equal(writer.offset, socketAddressBytes(address));
    assert.deepEqual(readSocketAddress(new ByteReader(writer.written())), address);
  }
});

test("an address that was written is read back, and broken bytes throw OutOfBounds", () => {
  fc.assert(
    fc.property(arbitrary.socketAddress, (address) => {
      const writer = new ByteWriter(new Uint8Array(socketAddressBytes(address)));
      writeSocketAddress(writer, address);
      assert.equal(writer.remainingBytes, 0);
      assert.deepEqual(readSocketAddress(new ByteReader(writer.bytes)), address);
    }),
  );
  for (const text of ["", "05 c0000201 125c", "04 c0000201 12", "04 c0000201 0000", "06 c0000201 125c"]) {
    assert.throws(() => readSocketAddress(new ByteReader(arbitrary.fromHex(text))), OutOfBounds, text);
  }
});

test("a group of hosts is told from a host", () => {
  const isGroup = (host: string): boolean => isMulticast(socketAddress(host, 1) as SocketAddress);
  for (const host of ["224.0.0.1", "239.255.255.255", "232.1.2.3", "ff02::1", "ff15::8"])
    assert.ok(isGroup(host), host);
  for (const host of [
    "223.255.255.255",
    "240.0.0.1",
    "22.4.0.1",
    "2.2.4.0",
    "fe80::1",
    "::ff02",
    "2001:ff02::1",
    "fd15::1",
  ]) {
    assert.ok(!isGroup(host), host);
  }
});
