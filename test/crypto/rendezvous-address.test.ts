// Addresses of a rendezvous as users write them.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createIdentity } from "../../src/crypto/identity.ts";
import { formatPeerId } from "../../src/crypto/peer-id.ts";
import {
  formatHostAndPort,
  formatRendezvousAddress,
  parseHostAndPort,
  parseRendezvousAddress,
  type RendezvousAddress,
} from "../../src/crypto/rendezvous-address.ts";
import { SeededRandom } from "../sim/seeded-random.ts";

const { publicKey } = createIdentity(new SeededRandom(1));
const ID = formatPeerId(publicKey);

test("host and port are read in every form that people write them in", () => {
  const forms: readonly (readonly [string, string, number])[] = [
    ["example.org:443", "example.org", 443],
    ["Example.ORG", "example.org", 4700],
    ["example.org.", "example.org.", 4700],
    ["raspberry_pi.local:4701", "raspberry_pi.local", 4701],
    ["localhost", "localhost", 4700],
    ["192.0.2.1:65535", "192.0.2.1", 65535],
    ["192.0.2.1", "192.0.2.1", 4700],
    ["[2001:DB8::1]:443", "2001:db8::1", 443],
    ["[2001:db8:0:0:0:0:0:1]", "2001:db8::1", 4700],
    ["2001:db8::1", "2001:db8::1", 4700],
    ["::1", "::1", 4700],
    ["[::ffff:192.0.2.1]:443", "192.0.2.1", 443],
    ["xn--bcher-kva.example:1", "xn--bcher-kva.example", 1],
  ];
  for (const [text, host, port] of forms) assert.deepEqual(parseHostAndPort(text), { host, port }, text);
});

test("what is neither host nor host and port is refused", () => {
  const forms = [
    "",
    ":4700",
    "example.org:",
    "example.org:0",
    "example.org:65536",
    "example.org:4700x",
    "example.org:-1",
    "example org",
    "-example.org",
    "example-.org",
    "example..org",
    ".",
    "http://example.org",
    "example.org/path",
    "999.0.2.1",
    "192.0.2",
    "1234",
    "[192.0.2.1]:4700",
    "[example.org]:4700",
    "[2001:db8::1",
    "2001:db8::1]:4700",
    "[fe80::1%eth0]:4700",
    "bücher.example",
    `${"a".repeat(250)}:4700`,
  ];
  for (const text of forms) assert.equal(parseHostAndPort(text), undefined, text);
});

test("a rendezvous id in front of the address is its key", () => {
  assert.deepEqual(parseRendezvousAddress(`${ID}@example.org:443`), { publicKey, host: "example.org", port: 443 });
  assert.deepEqual(parseRendezvousAddress(`${ID}@[2001:db8::1]`), { publicKey, host: "2001:db8::1", port: 4700 });
  assert.deepEqual(parseRendezvousAddress("example.org"), { host: "example.org", port: 4700 });
});

test("an id that is cut or missing before the @ is not passed over", () => {
  for (const text of [
    `${ID.slice(1)}@example.org`,
    "@example.org",
    `${ID}@`,
    `${ID}@${ID}@example.org`,
    "root@example.org",
  ]) {
    assert.equal(parseRendezvousAddress(text), undefined, text);
  }
});

const arbitraryAddress: fc.Arbitrary<RendezvousAddress> = fc
  .record({
    host: fc.oneof(fc.domain(), fc.ipV4(), fc.ipV6()),
    port: fc.integer({ min: 1, max: 65535 }),
    hasKey: fc.boolean(),
  })
  .map(({ host, port, hasKey }) => {
    const canonical = parseHostAndPort(formatHostAndPort({ host, port }))?.host ?? "example.org";
    return hasKey ? { publicKey, host: canonical, port } : { host: canonical, port };
  });

test("every address is read back as it was written", () => {
  fc.assert(
    fc.property(arbitraryAddress, (address) => {
      assert.deepEqual(parseRendezvousAddress(formatRendezvousAddress(address)), address);
    }),
  );
});

test("no text makes the parser throw, and what is read is written back to the same", () => {
  const texts = fc.oneof(
    fc.string({ unit: "binary", maxLength: 80 }),
    fc.stringMatching(/^([a-z2-7]{52}@)?[[\]0-9a-f:.]{0,30}$/),
  );
  fc.assert(
    fc.property(texts, (text) => {
      const address = parseRendezvousAddress(text);
      if (address !== undefined) assert.deepEqual(parseRendezvousAddress(formatRendezvousAddress(address)), address);
    }),
    { numRuns: 500 },
  );
});
