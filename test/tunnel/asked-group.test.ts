// An initiation to a multicast group: it comes to the peer several times by several ways, and the answer from an address that
// nobody knew before. The two agents are joined by hand here, because what matters is which way each copy comes.

import assert from "node:assert/strict";
import { test } from "node:test";
import { formatSocketAddress, isMulticast, parseSocketAddress, type SocketAddress } from "../../src/base/address.ts";
import { silentLog } from "../../src/base/log.ts";
import { randomBytes } from "../../src/base/random.ts";
import { Transmit } from "../../src/base/transmit.ts";
import type { Identity } from "../../src/crypto/identity.ts";
import { bestPacketCipher } from "../../src/crypto/packet-cipher.ts";
import { createSecret } from "../../src/crypto/secret.ts";
import { Agent } from "../../src/tunnel/agent.ts";
import type { AgentEvent } from "../../src/tunnel/agent-event.ts";
import { seededIdentity } from "../crypto/seeded-identity.ts";
import { SeededRandom } from "../sim/seeded-random.ts";

const at = (text: string): SocketAddress => parseSocketAddress(text) as SocketAddress;
const GROUP_IPV4 = at("239.255.0.1:99");
const GROUP_IPV6 = at("[ff15::1]:99");

/** An agent with several addresses on one link, as the link sees it. */
class Member {
  readonly agent: Agent;
  readonly identity: Identity;
  readonly addresses: readonly SocketAddress[];
  readonly events: AgentEvent[] = [];
  readonly sentTo: string[] = [];

  constructor(random: SeededRandom, addresses: readonly SocketAddress[]) {
    this.identity = seededIdentity(random);
    this.addresses = addresses;
    this.agent = new Agent({
      identity: this.identity,
      instance: randomBytes(random, 8),
      random,
      cipher: bestPacketCipher(),
      log: silentLog,
    });
  }

  get paths(): string[] {
    return this.events.flatMap((event) => (event.type === "path" ? [formatSocketAddress(event.remote)] : []));
  }

  get connections(): number {
    return this.events.filter((event) => event.type === "peer-connected").length;
  }
}

/** Carries every datagram between two members, one to a group from each address of its sender, until `untilMs`. */
function run(members: readonly Member[], untilMs: number): void {
  const out = new Transmit();
  for (let nowMs = 0; nowMs <= untilMs; nowMs += 1) {
    for (const member of members) {
      if (member.agent.pollTimeout() <= nowMs) member.agent.handleTimeout(nowMs);
      while (member.agent.pollTransmit(nowMs, out)) deliver(members, member, out, nowMs);
      for (let event = member.agent.pollEvent(); event !== undefined; event = member.agent.pollEvent()) {
        member.events.push(event);
      }
    }
  }
}

function deliver(members: readonly Member[], sender: Member, out: Transmit, nowMs: number): void {
  const to = (out.route as { remote: SocketAddress }).remote;
  sender.sentTo.push(formatSocketAddress(to));
  const ownOfFamily = sender.addresses.filter(({ family }) => family === to.family);
  for (const receiver of members) {
    const isMember = isMulticast(to) && receiver !== sender;
    const isAt = receiver.addresses.some((address) => formatSocketAddress(address) === formatSocketAddress(to));
    const froms = isMember ? ownOfFamily : isAt ? ownOfFamily.slice(0, 1) : [];
    for (const from of froms) {
      for (let start = 0; start < out.lengthBytes; start += out.segmentBytes) {
        const end = Math.min(out.lengthBytes, start + out.segmentBytes);
        receiver.agent.handleDatagram(nowMs, from, out.buffer.slice(start, end));
      }
    }
  }
}

function group() {
  const random = new SeededRandom(1);
  const device = new Member(random, [at("192.168.1.5:4800"), at("[2001:db8::5]:4800")]);
  const laptop = new Member(random, [
    at("192.168.1.9:4900"),
    at("192.168.1.8:4900"),
    at("[2001:db8::9]:4900"),
    at("[2001:db8::8]:4900"),
    at("[2001:db8::7]:4900"),
  ]);
  const secret = createSecret(random);
  device.agent.expose(0, { name: "web", secret, allow: [], public: false });
  return { random, device, laptop, secret, peer: device.identity.publicKey };
}

test("an initiation that comes five times by five ways makes one connection, to where the answer came from", () => {
  const { device, laptop, secret, peer } = group();
  const dial = laptop.agent.dial(0, { peer, secret, service: "web", addresses: [GROUP_IPV4, GROUP_IPV6] });
  run([laptop, device], 3_000);
  assert.ok(dial.connected !== undefined);
  assert.equal(device.connections, 1);
  assert.equal(laptop.connections, 1);
  assert.deepEqual(
    laptop.paths.filter((path) => !/^(192\.168\.1\.5|\[2001:db8::5\]):4800$/.test(path)),
    [],
  );
  const asked = laptop.sentTo.filter((to) => isMulticast(at(to)));
  assert.deepEqual(asked.sort(), ["239.255.0.1:99", "[ff15::1]:99"], "after the answer the group is left alone");
});

test("a member of the group that is not meant, or does not know the ticket, says nothing", () => {
  const { random, device, laptop, peer } = group();
  const other = new Member(random, [at("192.168.1.6:4800")]);
  other.agent.expose(0, { name: "web", secret: createSecret(random), allow: [], public: true });
  laptop.agent.dial(0, { peer, secret: createSecret(random), service: "web", addresses: [GROUP_IPV4] });
  run([laptop, device, other], 20_000);
  assert.deepEqual([device.sentTo, other.sentTo], [[], []]);
  assert.ok(laptop.sentTo.length > 5);
});
