// Every packet cipher against RFC 8439, against a third implementation, against each other, and against forgery.

import assert from "node:assert/strict";
import Module, { createRequire } from "node:module";
import { test } from "node:test";
import { chacha20poly1305 } from "@noble/ciphers/chacha.js";
import fc from "fast-check";
import { AssertionError } from "../../src/base/assert.ts";
import { SEAL_VIEWS_MAX } from "../../src/base/limits.ts";
import { nodePacketCipher } from "../../src/crypto/node-packet-cipher.ts";
import {
  bestPacketCipher,
  nextKey,
  opensslPacketCipher,
  type PacketCipherFactory,
  sodiumPacketCipher,
} from "../../src/crypto/packet-cipher.ts";
import { SeededRandom } from "../sim/seeded-random.ts";
import { counting, fromHex, toHex, withBitFlipped } from "./hex.ts";

function isInstalled(name: string): boolean {
  try {
    createRequire(import.meta.url).resolve(name);
    return true;
  } catch {
    return false;
  }
}

/** Whether OpenSSL is part of node's own file: one that a distribution links to a library keeps these functions to itself. */
function hasOwnOpenssl(): boolean {
  const { variables } = process.config as { variables: { node_shared_openssl?: boolean } };
  return variables.node_shared_openssl === false;
}

const node = nodePacketCipher();
const sodium = sodiumPacketCipher();
const openssl = opensslPacketCipher();
const factories = [node, sodium, openssl].filter((factory) => factory !== undefined);

const KEY = counting(32, 7);
const PATH = 0xabcd;
const NUMBER = 0x1234_5678_9abc;
/** counting(20) behind the header counting(16), under all of these. */
const SEALED =
  "000102030405060708090a0b0c0d0e0f445785153ec6018fee48db6bda30e4bb6214a9c482f32ae7521b89d63cf43735a517bf76";

/** header ‖ plaintext ‖ room for the tag, at `at` of a buffer that is 0x55 everywhere else. */
function unsealed(plaintext: Uint8Array, at = 0, header = counting(16)): { buffer: Uint8Array; payloadEnd: number } {
  const buffer = new Uint8Array(at + 32 + plaintext.length + 9).fill(0x55);
  buffer.set(header, at);
  buffer.set(plaintext, at + 16);
  return { buffer, payloadEnd: at + 16 + plaintext.length };
}

function sealedPacket(factory: PacketCipherFactory, plaintext: Uint8Array): Uint8Array {
  const { buffer, payloadEnd } = unsealed(plaintext);
  factory.create(KEY).seal(buffer, 0, payloadEnd, PATH, NUMBER);
  return buffer.slice(0, payloadEnd + 16);
}

test("sodium-native is used where it is installed", () => {
  assert.equal(sodium?.name, isInstalled("sodium-native") ? "sodium-native" : undefined);
});

test("node's own OpenSSL is used where koffi is installed and the functions are those that we know", () => {
  const isKnown = isInstalled("koffi") && process.versions.openssl.startsWith("3.") && hasOwnOpenssl();
  assert.equal(openssl?.name, isKnown ? "openssl" : undefined);
  assert.equal(bestPacketCipher().name, (openssl ?? sodium ?? node).name);
});

for (const factory of factories) {
  test(`${factory.name}: the ciphertext is that of RFC 8439, appendix A.5, whose nonce is of our shape`, () => {
    const key = fromHex("1c9240a5eb55d38af333888604f6b5f0473917c1402b80099dca5cbc207075c0");
    const text =
      "Internet-Drafts are draft documents valid for a maximum of six months and may be updated, replaced, or obsoleted " +
      "by other documents at any time. It is inappropriate to use Internet-Drafts as reference material or to cite them " +
      "other than as /“work in progress./”";
    const { buffer, payloadEnd } = unsealed(new TextEncoder().encode(text));
    factory.create(key).seal(buffer, 0, payloadEnd, 0x0102, 0x0304_0506_0708);
    assert.equal(
      toHex(buffer.subarray(16, payloadEnd)),
      toHex(
        fromHex(`64a0861575861af460f062c79be643bd5e805cfd345cf389f108670ac76c8cb24c6cfc18755d43eea09ee94e382d26b0bdb7b7
          3c321b0100d4f03b7f355894cf332f830e710b97ce98c8a84abd0b948114ad176e008d33bd60f982b1ff37c8559797a06ef4f0ef61c186
          324e2b3506383606907b6a7c02b0f9f6157b53c867e4b9166c767b804d46a59b5216cde7a4e99040c5a40433225ee282a1b0a06c523eaf
          4534d7f83fa1155b0047718cbc546a0d072b04b3564eea1b422273f548271a0bb2316053fa76991955ebd63159434ecebb4e466dae5a10
          73a6727627097a1049e617d91d361094fa68f0ff77987130305beaba2eda04df997b714d6c6f2c29a6ad5cb4022b02709b`),
      ),
    );
  });

  test(`${factory.name}: a sealed packet never changes`, () => {
    assert.equal(toHex(sealedPacket(factory, counting(20))), SEALED);
  });

  test(`${factory.name}: header, nonce and tag are those of a third implementation, wherever the packet lies`, () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 32, maxLength: 32 }),
        fc.uint8Array({ maxLength: 1500 }),
        fc.uint8Array({ minLength: 16, maxLength: 16 }),
        fc.nat(0xffff),
        fc.nat(2 ** 48 - 1),
        fc.nat(100),
        (key, plaintext, header, path, packetNumber, at) => {
          const { buffer, payloadEnd } = unsealed(plaintext, at, header);
          const before = buffer.slice();
          const cipher = factory.create(key);
          cipher.seal(buffer, at, payloadEnd, path, packetNumber);
          const nonce = new Uint8Array(12);
          const view = new DataView(nonce.buffer);
          view.setUint16(4, path);
          view.setUint16(6, Math.floor(packetNumber / 2 ** 32));
          view.setUint32(8, packetNumber % 2 ** 32);
          const expected = chacha20poly1305(key, nonce, header).encrypt(plaintext);
          assert.deepEqual(buffer.slice(at + 16, payloadEnd + 16), expected);
          assert.deepEqual(buffer.subarray(0, at + 16), before.subarray(0, at + 16));
          assert.deepEqual(buffer.subarray(payloadEnd + 16), before.subarray(payloadEnd + 16));
          assert(cipher.open(buffer, at, payloadEnd + 16, path, packetNumber));
          assert.deepEqual(buffer.subarray(0, payloadEnd), before.subarray(0, payloadEnd));
        },
      ),
    );
  });

  test(`${factory.name}: a packet with any bit flipped is not authentic`, () => {
    const packet = sealedPacket(factory, counting(20));
    const cipher = factory.create(KEY);
    for (let bit = 0; bit < packet.length * 8; bit++) {
      assert(!cipher.open(withBitFlipped(packet, bit), 0, packet.length, PATH, NUMBER), `bit ${bit}`);
    }
    assert(cipher.open(packet, 0, packet.length, PATH, NUMBER));
  });

  test(`${factory.name}: a packet is not authentic under another key, path or number`, () => {
    const packet = sealedPacket(factory, counting(20));
    const open = (key: Uint8Array, path: number, packetNumber: number): boolean =>
      factory.create(key).open(packet.slice(), 0, packet.length, path, packetNumber);
    assert(open(KEY, PATH, NUMBER));
    assert(!open(nextKey(KEY), PATH, NUMBER));
    for (let bit = 0; bit < 16; bit++) assert(!open(KEY, PATH ^ (1 << bit), NUMBER), `path bit ${bit}`);
    for (let bit = 0; bit < 48; bit++) {
      const other = Number(BigInt(NUMBER) ^ (1n << BigInt(bit)));
      assert(!open(KEY, PATH, other), `number bit ${bit}`);
    }
  });

  test(`${factory.name}: a packet that is cut or reaches past the buffer is not authentic, without a throw`, () => {
    const packet = sealedPacket(factory, counting(20));
    const cipher = factory.create(KEY);
    for (let end = 0; end < packet.length; end++) assert(!cipher.open(packet.slice(), 0, end, PATH, NUMBER), `${end}`);
    assert(!cipher.open(packet.slice(), 0, packet.length + 1, PATH, NUMBER));
    assert(!cipher.open(packet.slice(), 30, packet.length, PATH, NUMBER));
  });

  test(`${factory.name}: bytes of any content are opened without a throw`, () => {
    const cipher = factory.create(KEY);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(60), (bytes, at) => {
        assert(!cipher.open(bytes, at, bytes.length, PATH, NUMBER));
      }),
    );
  });

  test(`${factory.name}: no room for the tag is our own fault, said before a byte is written`, () => {
    const buffer = counting(40);
    assert.throws(() => factory.create(KEY).seal(buffer, 0, 25, PATH, NUMBER), AssertionError);
    assert.throws(() => factory.create(KEY).seal(buffer, 20, 30, PATH, NUMBER), AssertionError);
    assert.deepEqual(buffer, counting(40));
  });

  test(`${factory.name}: a key that its owner alters later is still the old one in the cipher`, () => {
    // A Buffer's slice() is a view of it.
    for (const key of [KEY.slice(), Buffer.from(KEY)]) {
      const cipher = factory.create(key);
      key.fill(0);
      const packet = sealedPacket(factory, counting(20));
      assert(cipher.open(packet, 0, packet.length, PATH, NUMBER));
    }
  });

  test(`${factory.name}: places of a buffer that are used again with other lengths, keys and buffers seal right`, () => {
    const random = new SeededRandom(3);
    // Two of them are used in turn most of the time, as those of sent and received packets are.
    const buffers = Array.from({ length: 3 }, () => new Uint8Array(40_000));
    const ciphers = [KEY, nextKey(KEY)].map((key) => [factory.create(key), node.create(key)] as const);
    for (let round = 0; round < 3 * SEAL_VIEWS_MAX; round++) {
      const buffer = buffers[random.chance(0.1) ? 2 : random.integer(0, 1)] as Uint8Array;
      const [cipher, reference] = ciphers[random.integer(0, 1)] as (typeof ciphers)[number];
      const at = random.integer(0, random.chance(0.5) ? 3 : 2 * SEAL_VIEWS_MAX);
      const payloadEnd = at + 16 + random.integer(0, 3) * 10;
      random.fill(buffer.subarray(at, payloadEnd));
      const plaintext = buffer.slice(at, payloadEnd);
      cipher.seal(buffer, at, payloadEnd, 1, round);
      const packet = buffer.slice(at, payloadEnd + 16);
      assert(reference.open(packet, 0, packet.length, 1, round), `round ${round}`);
      assert.deepEqual(packet.subarray(0, -16), plaintext);
    }
  });
}

test("the next key of a direction never changes", () => {
  assert.equal(toHex(nextKey(counting(32))), "e95c1c0af57998ae59c8c8ce2b29f865a58169ed665ae08935b8cfdaed7d05d3");
});

/** Lets `require` of packages whose name begins so do something else while `body` runs. */
function withPackages(replacements: Readonly<Record<string, () => unknown>>, body: () => void): void {
  const loader = Module as unknown as { _load(request: string, ...rest: unknown[]): unknown };
  const original = loader._load;
  loader._load = (request, ...rest) => {
    const replaced = Object.keys(replacements).find((name) => request.startsWith(name));
    return replaced === undefined ? original.call(loader, request, ...rest) : replacements[replaced]?.();
  };
  try {
    body();
  } finally {
    loader._load = original;
  }
}

const missing = (): never => {
  throw new Error("Cannot find module");
};

test("without koffi sodium-native does the work, without both node:crypto", () => {
  withPackages({ koffi: missing }, () => {
    assert.equal(opensslPacketCipher(), undefined);
    assert.equal(bestPacketCipher().name, (sodium ?? node).name);
  });
  withPackages({ koffi: missing, "sodium-native": missing }, () => {
    assert.equal(sodiumPacketCipher(), undefined);
    assert.equal(bestPacketCipher().name, "node-crypto");
  });
});

test("a sodium-native that lacks a function, seals wrongly or believes everything is not used", () => {
  const wrong: readonly unknown[] = [
    undefined,
    {},
    { crypto_aead_chacha20poly1305_ietf_encrypt: () => 0, crypto_aead_chacha20poly1305_ietf_decrypt_detached: () => 0 },
  ];
  for (const binding of wrong) {
    withPackages({ "sodium-native": () => binding }, () => assert.equal(sodiumPacketCipher(), undefined));
  }
  if (sodium === undefined) return;
  const real = createRequire(import.meta.url)("sodium-native/binding") as object;
  const gullible = { ...real, crypto_aead_chacha20poly1305_ietf_decrypt_detached: () => 0 };
  withPackages({ "sodium-native": () => gullible }, () => assert.equal(sodiumPacketCipher(), undefined));
});

interface Program {
  func(name: string, result: string, parameters: readonly string[]): (...values: number[]) => unknown;
}

/** koffi, but for one function of the program, which is another one here. */
function koffiWith(name: string, change: (real: (...values: number[]) => unknown) => (...values: number[]) => unknown) {
  const real = createRequire(import.meta.url)("koffi") as { load(path: null): Program; address: unknown };
  const program = real.load(null);
  return {
    address: real.address,
    load: (): Program => ({
      func(wanted, result, parameters) {
        const func = program.func(wanted, result, parameters);
        return wanted === name ? change(func) : func;
      },
    }),
  };
}

test("an OpenSSL of another version, or whose functions are missing or do something else, is not used", () => {
  const wrong: readonly unknown[] = [undefined, {}, { load: missing }];
  for (const koffi of wrong) withPackages({ koffi: () => koffi }, () => assert.equal(opensslPacketCipher(), undefined));
  if (openssl === undefined) return;
  const same = koffiWith("Poly1305_Init", (real) => real);
  withPackages({ koffi: () => same }, () => {
    assert.equal(opensslPacketCipher()?.name, "openssl", "otherwise what follows shows nothing");
  });
  const changes: readonly unknown[] = [
    koffiWith("Poly1305_Init", missing),
    koffiWith("OpenSSL_version_num", () => () => 0x4000_0000),
    koffiWith("Poly1305_ctx_size", () => () => 4_096),
    koffiWith("ChaCha20_ctr32", () => () => undefined),
    koffiWith("Poly1305_Final", (real) => (context, tag) => real(context as number, (tag as number) + 1)),
    koffiWith(
      "Poly1305_Update",
      (real) => (context, from, bytes) => real(context as number, from as number, (bytes as number) & ~63),
    ),
  ];
  for (const koffi of changes) {
    withPackages({ koffi: () => koffi }, () => assert.equal(opensslPacketCipher(), undefined));
  }
});

test("an OpenSSL whose memory has addresses that no number holds is not called at all", () => {
  const called: string[] = [];
  const program = {
    func: (name: string) => () => {
      if (name === "OpenSSL_version_num") return 0x3000_0000;
      if (name === "Poly1305_ctx_size") return 256;
      called.push(name);
      return 0;
    },
  };
  const tagged = { load: () => program, address: () => 0x0b00_7f12_3456_7890n };
  withPackages({ koffi: () => tagged }, () => assert.equal(opensslPacketCipher(), undefined));
  assert.deepEqual(called, []);
});

test("openssl: what lies behind a packet stays, whether or not there is room for what Poly1305 is given", () => {
  if (openssl === undefined) return;
  const cipher = openssl.create(KEY);
  for (let payloadBytes = 0; payloadBytes < 40; payloadBytes++) {
    for (let behind = 0; behind < 20; behind++) {
      const buffer = new Uint8Array(16 + payloadBytes + 16 + behind).fill(0x55);
      const packetEnd = 32 + payloadBytes;
      cipher.seal(buffer, 0, packetEnd - 16, PATH, NUMBER);
      assert(buffer.subarray(packetEnd).every((byte) => byte === 0x55));
      const other = buffer.slice();
      assert(cipher.open(buffer, 0, packetEnd, PATH, NUMBER));
      assert(buffer.subarray(packetEnd).every((byte) => byte === 0x55));
      assert(node.create(KEY).open(other, 0, packetEnd, PATH, NUMBER));
    }
  }
});
