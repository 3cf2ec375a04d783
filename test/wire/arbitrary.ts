// Inputs for property tests of wire formats: the values that occur in many of them, and what the network, or somebody
// on it, makes of well-formed bytes.

import fc from "fast-check";
import { formatIp, type SocketAddress } from "../../src/base/address.ts";

/** A record with an ordinary prototype, as decoders make them, so that deepEqual can compare the two. */
export function record<T>(model: { [Key in keyof T]: fc.Arbitrary<T[Key]> }): fc.Arbitrary<T> {
  return fc.record<T>(model, { noNullPrototype: true });
}

/** Exactly `lengthBytes` bytes. */
export function bytesOf(lengthBytes: number): fc.Arbitrary<Uint8Array> {
  return fc.uint8Array({ minLength: lengthBytes, maxLength: lengthBytes });
}

/** What a varint may hold, with every length of it equally likely. */
export const varintValue: fc.Arbitrary<number> = fc.oneof(
  fc.integer({ min: 0, max: 0x3f }),
  fc.integer({ min: 0x40, max: 0x3fff }),
  fc.integer({ min: 0x4000, max: 0x3fff_ffff }),
  fc.maxSafeInteger().map(Math.abs),
  fc.constant(Number.MAX_SAFE_INTEGER),
);

export const uint32: fc.Arbitrary<number> = fc.integer({ min: 0, max: 0xffff_ffff });

/** IPv4 and IPv6, the latter with runs of zeros; an IPv4-mapped one is the IPv4 address, as everywhere. */
export const socketAddress: fc.Arbitrary<SocketAddress> = fc
  .record({
    ip: fc.oneof(
      bytesOf(4),
      bytesOf(16),
      fc
        .array(fc.constantFrom(0, 0, 0, 1, 0xffff), { minLength: 8, maxLength: 8 })
        .map((groups) => Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 0xff]))),
    ),
    port: fc.integer({ min: 1, max: 65_535 }),
  })
  .map(({ ip, port }) => {
    const host = formatIp(ip);
    return { family: host.includes(":") ? 6 : 4, host, port };
  });

/** Text that UTF-8 can carry. */
export function textOf(maxLength: number): fc.Arbitrary<string> {
  return fc.string({ unit: "binary", maxLength });
}

/** Well-formed bytes with some overwritten, cut out, put in, or with the end cut off; and bytes of chance alone. */
export function mutated(wellFormed: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Uint8Array> {
  const edits = fc.array(
    fc.record({
      kind: fc.constantFrom("overwrite", "cut", "insert", "truncate"),
      at: fc.nat(400),
      bytes: fc.uint8Array({ minLength: 1, maxLength: 4 }),
    }),
    { minLength: 1, maxLength: 4 },
  );
  const edited = fc.tuple(wellFormed, edits).map(([bytes, list]) => {
    let result = Array.from(bytes);
    for (const edit of list) {
      const at = result.length === 0 ? 0 : edit.at % result.length;
      if (edit.kind === "overwrite") result.splice(at, edit.bytes.length, ...edit.bytes);
      else if (edit.kind === "cut") result.splice(at, edit.bytes.length);
      else if (edit.kind === "insert") result.splice(at, 0, ...edit.bytes);
      else result = result.slice(0, at);
    }
    return Uint8Array.from(result);
  });
  return fc.oneof({ weight: 4, arbitrary: edited }, { weight: 1, arbitrary: fc.uint8Array({ maxLength: 300 }) });
}

/** Lower-case hex; spaces in the expectation are for the reader. */
export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

/** The inverse of hex; white space is passed over. */
export function fromHex(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text.replaceAll(/\s/g, ""), "hex"));
}

/** `lengthBytes` bytes first, first + 1, …: so that a field out of place is seen. */
export function counting(first: number, lengthBytes: number): Uint8Array {
  return Uint8Array.from({ length: lengthBytes }, (_, i) => first + i);
}
