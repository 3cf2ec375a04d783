// Tickets: the exact text, and that a slip of the hand is found before anything is sent.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { AssertionError } from "../../src/base/assert.ts";
import { decodeBase32, encodeBase32 } from "../../src/base/base32.ts";
import { PEER_ADDRESSES_MAX } from "../../src/base/limits.ts";
import { blake2s } from "../../src/crypto/blake2s.ts";
import { createIdentity } from "../../src/crypto/identity.ts";
import { formatTicket, parseTicket, type Ticket, type TicketFault } from "../../src/crypto/ticket.ts";
import { SeededRandom } from "../sim/seeded-random.ts";
import { counting, fromHex } from "./hex.ts";
import { SMALL_ORDER_ED25519 } from "./small-order-points.ts";

const PEER = fromHex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
const WEB: Ticket = {
  peer: PEER,
  secret: counting(16),
  rendezvous: [{ publicKey: PEER, host: "rendezvous.example", port: 4700 }],
  addresses: [],
  service: "web",
};
const WEB_TEXT =
  "tunnelahlvvgabqkyqvn6vjp7nhslea45a5yls6pnkmizfv4bbu2hxa5iruaabaibqibiga4eascqlbqgq4dybahlvvgabqkyqvn6vjp7nhslea45a5y" +
  "ls6pnkmizfv4bbu2hxa5iruf3smvxgizl2ozxxk4zomv4gc3lqnrstunbxgayaaa3xmvrpjbg63a";
const TWO: Ticket = {
  peer: PEER,
  secret: counting(16),
  rendezvous: [
    { host: "2001:db8::1", port: 4700 },
    { publicKey: PEER, host: "192.0.2.1", port: 443 },
  ],
  addresses: [],
  service: "",
};
const TWO_TEXT =
  "tunnelahlvvgabqkyqvn6vjp7nhslea45a5yls6pnkmizfv4bbu2hxa5iruaabaibqibiga4eascqlbqgq4dycaajfwmrqgaytuzdcha5dumk5hi2dom" +
  "bqahlvvgabqkyqvn6vjp7nhslea45a5yls6pnkmizfv4bbu2hxa5irudjrhezc4mbogixdcorugqzqaadeznbkg";

const DIRECT: Ticket = {
  peer: PEER,
  secret: counting(16),
  rendezvous: [],
  addresses: [
    { host: "camera.example", port: 4800 },
    { host: "2001:db8::1", port: 4800 },
  ],
  service: "web",
};
const DIRECT_TEXT =
  "tunnelahlvvgabqkyqvn6vjp7nhslea45a5yls6pnkmizfv4bbu2hxa5iruaabaibqibiga4eascqlbqgq4dyaaijwgylnmvzgcltfpbqw24dmmu5dio" +
  "bqgajfwmrqgaytuzdcha5dumk5hi2dqmbqan3wkyshgoq6u";

function faultOf(text: string): TicketFault | undefined {
  const result = parseTicket(text);
  return result.ok ? undefined : result.fault;
}

/** A ticket of any content with the checksum that belongs to it. */
const sealed = (content: Uint8Array): string =>
  `tunnel${encodeBase32(new Uint8Array([...content, ...blake2s(content).subarray(0, 4)]))}`;

test("the text of a ticket never changes", () => {
  assert.equal(formatTicket(WEB), WEB_TEXT);
  assert.equal(formatTicket(TWO), TWO_TEXT);
  assert.equal(formatTicket(DIRECT), DIRECT_TEXT);
  assert.deepEqual(parseTicket(WEB_TEXT), { ok: true, ticket: WEB });
  assert.deepEqual(parseTicket(TWO_TEXT), { ok: true, ticket: TWO });
  assert.deepEqual(parseTicket(DIRECT_TEXT), { ok: true, ticket: DIRECT });
});

test("every change of a single character is found", () => {
  const characters = "abcdefghijklmnopqrstuvwxyz234567018-_=.@ ";
  for (let i = 0; i < WEB_TEXT.length; i++) {
    for (const character of characters) {
      if (character === WEB_TEXT[i]) continue;
      assert.notEqual(
        faultOf(WEB_TEXT.slice(0, i) + character + WEB_TEXT.slice(i + 1)),
        undefined,
        `${i} ${character}`,
      );
    }
  }
});

test("every character left out, doubled or swapped with its neighbour is found", () => {
  for (let i = 0; i < TWO_TEXT.length; i++) {
    const [before, here, next, after] = [
      TWO_TEXT.slice(0, i),
      TWO_TEXT[i],
      TWO_TEXT[i + 1] ?? "",
      TWO_TEXT.slice(i + 2),
    ];
    assert.notEqual(faultOf(before + next + after), undefined, `${i} left out`);
    assert.notEqual(faultOf(`${before}${here}${here}${next}${after}`), undefined, `${i} doubled`);
    if (next !== "" && next !== here)
      assert.notEqual(faultOf(`${before}${next}${here}${after}`), undefined, `${i} swapped`);
  }
});

test("a ticket that ends too early is called cut, wherever it was cut", () => {
  for (const text of [WEB_TEXT, DIRECT_TEXT]) {
    for (let length = "tunnel".length; length < text.length; length++) {
      assert.equal(faultOf(text.slice(0, length)), "cut", `${length} characters`);
    }
  }
});

test("a ticket with a wrong character in the secret is called mistyped", () => {
  assert.equal(faultOf(WEB_TEXT.replace("qibiga", "qibigb")), "mistyped");
  assert.equal(faultOf(WEB_TEXT.replace("qibiga", "qib-ga")), "mistyped");
  assert.equal(faultOf(`${WEB_TEXT.slice(0, -1)}${WEB_TEXT.endsWith("r") ? "s" : "r"}`), "mistyped");
});

test("another text is called no ticket", () => {
  for (const text of [
    "",
    "tunne",
    "web",
    "25njqamcweflpvkl73j4szahhihoc4xt3ktcgjnpaingr5yhkena",
    "tunnel:abc",
    `tunnel${"a".repeat(40_000)}`,
  ]) {
    assert.equal(faultOf(text), "not-a-ticket", text.slice(0, 20));
  }
});

test("broken lines, blanks around it and upper case do not hurt a ticket", () => {
  const folded = `  ${WEB_TEXT.slice(0, 60)}\n  ${WEB_TEXT.slice(60, 120).toUpperCase()}\r\n\t${WEB_TEXT.slice(120)}\u200b\n`;
  assert.deepEqual(parseTicket(folded), { ok: true, ticket: WEB });
});

test("a ticket of a newer version is told from a mistyped one", () => {
  const bytes = decodeBase32(WEB_TEXT.slice("tunnel".length)) as Uint8Array;
  const newer = Uint8Array.of(2, 9, 9);
  assert.equal(faultOf(sealed(newer)), "newer-version");
  assert.equal(faultOf(sealed(new Uint8Array([0, ...bytes.subarray(1, -4)]))), "not-a-ticket");
});

test("content that no maker of tickets writes is refused though its checksum fits", () => {
  const bytes = (decodeBase32(WEB_TEXT.slice("tunnel".length)) as Uint8Array).slice(0, -4);
  const alter = (at: number, ...values: number[]): Uint8Array => {
    const copy = bytes.slice();
    copy.set(values, at);
    return copy;
  };
  assert.equal(faultOf(sealed(bytes)), undefined);
  const cases: readonly (readonly [string, Uint8Array])[] = [
    ["more rendezvous than follow", alter(49, 2)],
    ["bytes behind the end", new Uint8Array([...bytes, 0])],
    ["cut", bytes.subarray(0, -1)],
    ["a service name that is no UTF-8", alter(bytes.length - 1, 0xff)],
    ["a host with a blank", alter(50 + 1 + 32 + 1, 0x20)],
    ["a peer of small order", alter(1, ...(SMALL_ORDER_ED25519[0] as Uint8Array))],
    ["a rendezvous of small order", alter(51, ...(SMALL_ORDER_ED25519[0] as Uint8Array))],
  ];
  const direct = (decodeBase32(DIRECT_TEXT.slice("tunnel".length)) as Uint8Array).slice(0, -4);
  // Behind version, peer, secret and no rendezvous.
  const [start, count] = [direct.subarray(0, 50), (list: Uint8Array[]) => Uint8Array.of(list.length)];
  const listing = (...texts: string[]): Uint8Array => {
    const list = texts.map((text) => Uint8Array.of(text.length, ...new TextEncoder().encode(text)));
    return new Uint8Array([...start, ...count(list), ...list.flatMap((bytes) => [...bytes]), 0]);
  };
  assert.equal(faultOf(sealed(listing(...new Array<string>(PEER_ADDRESSES_MAX).fill("a:1")))), undefined);
  assert.equal(faultOf(sealed(listing(...new Array<string>(PEER_ADDRESSES_MAX + 1).fill("a:1")))), "not-a-ticket");
  assert.equal(faultOf(sealed(listing("a b:1"))), "not-a-ticket");
  assert.equal(faultOf(sealed(listing("a:0"))), "not-a-ticket");
  for (const [what, content] of cases) assert.equal(faultOf(sealed(content)), "not-a-ticket", what);
});

test("every fault says what to do, and none repeats the text", () => {
  for (const text of [
    WEB_TEXT.slice(0, 150),
    WEB_TEXT.replace("qibiga", "qibigb"),
    sealed(Uint8Array.of(2)),
    "secret-thing",
  ]) {
    const result = parseTicket(text);
    assert(!result.ok);
    assert.match(result.message, /Copy|Update/);
    assert(!result.message.includes(text));
  }
});

const place = {
  host: fc.constantFrom("example.org", "192.0.2.7", "2001:db8::7", `${"a".repeat(60)}.example`),
  port: fc.integer({ min: 1, max: 65535 }),
};
const arbitraryAddress = fc.record(place, { noNullPrototype: true });
const arbitraryRendezvous = fc.record(
  { publicKey: fc.nat(5).map((seed) => createIdentity(new SeededRandom(seed)).publicKey), ...place },
  { requiredKeys: ["host", "port"], noNullPrototype: true },
);

const arbitraryTicket: fc.Arbitrary<Ticket> = fc.record(
  {
    peer: fc.nat(50).map((seed) => createIdentity(new SeededRandom(seed)).publicKey),
    secret: fc.uint8Array({ minLength: 16, maxLength: 16 }),
    rendezvous: fc.array(arbitraryRendezvous, { maxLength: 5 }),
    addresses: fc.array(arbitraryAddress, { maxLength: PEER_ADDRESSES_MAX }),
    service: fc.string({ unit: "grapheme", maxLength: 20 }),
  },
  { noNullPrototype: true },
);

test("every ticket is read back as it was written", () => {
  fc.assert(
    fc.property(arbitraryTicket, (ticket) => {
      assert.deepEqual(parseTicket(formatTicket(ticket)), { ok: true, ticket });
    }),
    { numRuns: 50 },
  );
});

test("no text makes the parser throw", () => {
  const texts = fc.oneof(
    fc.string({ unit: "binary", maxLength: 300 }),
    fc.stringMatching(/^tunnel[a-z2-7]{0,300}$/),
    fc.uint8Array({ minLength: 1, maxLength: 300 }).map(sealed),
    fc.uint8Array({ maxLength: 300 }).map((rest) => sealed(new Uint8Array([1, ...PEER, ...rest]))),
  );
  fc.assert(
    fc.property(texts, (text) => void parseTicket(text)),
    { numRuns: 1000 },
  );
});

test("a ticket that cannot be written is our own fault, said at once", () => {
  assert.throws(() => formatTicket({ ...WEB, service: "x".repeat(256) }), AssertionError);
  assert.throws(() => formatTicket({ ...WEB, secret: new Uint8Array(15) }), AssertionError);
});
