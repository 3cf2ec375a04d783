// The ready-made topologies behave as their names say: which pairs of NATs can be punched, and how.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { SocketAddress } from "../../src/base/address.ts";
import { ProbeMachine } from "./probe-machine.ts";
import { type NatKind, natKinds, Site, twoNats } from "./topology.ts";
import { World } from "./world.ts";

const HELLO = Uint8Array.of(1);

interface Punch {
  /** Both got at least one datagram of the other's. */
  readonly isOpen: boolean;
  readonly externalA: SocketAddress | undefined;
}

/** Both learn from R where they are seen, and send a few datagrams to where the other one is, at the same time. */
function punch(a: NatKind, b: NatKind): Punch {
  const world = new World({ seed: 9 });
  const nats = twoNats(world, { a, b, delayMs: 20 });
  const [ma, mb, mr] = [new ProbeMachine(), new ProbeMachine(), new ProbeMachine()];
  nats.a.run(ma);
  nats.b.run(mb);
  nats.r.run(mr);
  ma.send(nats.r.address, Uint8Array.of(0xa));
  mb.send(nats.r.address, Uint8Array.of(0xb));
  world.runFor(50);
  const externalA = mr.received.find(({ bytes }) => bytes[0] === 0xa)?.from;
  const externalB = mr.received.find(({ bytes }) => bytes[0] === 0xb)?.from;
  if (externalA === undefined || externalB === undefined) return { isOpen: false, externalA };
  for (let round = 0; round < 3; round++) {
    ma.send(externalB, HELLO);
    mb.send(externalA, HELLO);
    // Whoever hears the other one answers to where it came from, as a peer-reflexive candidate is probed.
    world.runFor(100);
    for (const machine of [ma, mb]) for (const { from } of machine.received) machine.send(from, HELLO);
    world.runFor(100);
  }
  return { isOpen: ma.received.length > 0 && mb.received.length > 0, externalA };
}

const EASY: readonly NatKind[] = ["none", "fullCone", "addressRestricted", "portRestricted", "linux", "cgn"];
const HARD: readonly NatKind[] = ["symmetric", "symmetricSequential", "cgnSymmetric"];

test("two NATs with endpoint-independent mapping are open to each other after simultaneous datagrams", () => {
  for (const a of EASY) for (const b of EASY) assert.ok(punch(a, b).isOpen, `${a} with ${b}`);
});

test("a hard NAT reaches those that do not filter by port, and nobody else", () => {
  for (const hard of HARD) {
    for (const other of [...EASY, ...HARD]) {
      const isExpected = other === "none" || other === "fullCone" || other === "addressRestricted";
      assert.equal(punch(hard, other).isOpen, isExpected, `${hard} with ${other}`);
      assert.equal(punch(other, hard).isOpen, isExpected, `${other} with ${hard}`);
    }
  }
});

test("nothing passes where UDP is blocked", () => {
  for (const kind of natKinds) assert.equal(punch("udpBlocked", kind).isOpen, false, kind);
});

test("a bad router is reached only by the port that its peer sees", () => {
  // A is nearer to R than B: its datagram is at B's router before B has sent its own.
  const world = new World();
  const { a, b, r } = twoNats(world, { a: "portRestricted", b: "badRouter", linkA: { delayMs: 1 } });
  const [ma, mb, mr] = [new ProbeMachine(), new ProbeMachine(), new ProbeMachine()];
  a.run(ma);
  b.run(mb);
  r.run(mr);
  ma.send(r.address, Uint8Array.of(0xa));
  mb.send(r.address, Uint8Array.of(0xb));
  world.runFor(50);
  const externalA = mr.received.find(({ bytes }) => bytes[0] === 0xa)?.from as SocketAddress;
  const externalB = mr.received.find(({ bytes }) => bytes[0] === 0xb)?.from as SocketAddress;
  ma.send(externalB, HELLO);
  world.runFor(50);
  mb.send(externalA, HELLO);
  world.runFor(50);
  assert.deepEqual([ma.received.length, mb.received.length], [0, 0]);
  assert.equal(world.drops.get("router takes it for itself"), 1);
  assert.equal(world.drops.get("NAT filters it"), 1);
});

test("the way from A to B takes the delay that was asked for, and to R half of it", () => {
  const world = new World();
  const { a, b, r } = twoNats(world, { a: "none", b: "none", delayMs: 30 });
  const [ma, mb, mr] = [new ProbeMachine(), new ProbeMachine(), new ProbeMachine()];
  a.run(ma);
  b.run(mb);
  r.run(mr);
  ma.send(b.address, HELLO);
  ma.send(r.address, HELLO);
  world.runFor(100);
  assert.deepEqual([mb.last?.atMs, mr.last?.atMs], [30, 15]);
});

test("hosts of one site reach each other directly, and two homes of one carrier by its hairpin", () => {
  const world = new World();
  const site = new Site(world, "home", { kind: "portRestricted", number: 1 });
  const [a, b] = [site.addHost("A"), site.addHost("B")];
  const [ma, mb] = [new ProbeMachine(), new ProbeMachine()];
  a.run(ma);
  b.run(mb);
  ma.send(b.address, HELLO);
  world.runFor(1);
  assert.deepEqual(mb.last?.from, a.address);

  const carrier = world.addNetwork("carrier");
  world.addRouter("carrier", { ip: "198.51.100.99", inner: carrier, router: { kind: "nat", hairpin: true } });
  const homes = [2, 3].map((number) => {
    const options = { kind: "fullCone", number, outer: carrier, outerIp: `100.64.0.${number}` } as const;
    return new Site(world, `home ${number}`, options);
  });
  const r = world.addHost("R", { ip: "192.0.2.1" });
  const mr = new ProbeMachine();
  r.run(mr);
  const machines = homes.map((home, i) => {
    const machine = new ProbeMachine();
    home.addHost(`H${i}`, { port: 5000 + i }).run(machine);
    machine.send(r.address, HELLO);
    return machine;
  });
  world.runFor(1);
  const [first, second] = mr.received.map(({ from }) => from);
  machines[0]?.send(second as SocketAddress, HELLO);
  machines[1]?.send(first as SocketAddress, HELLO);
  world.runFor(1);
  machines[0]?.send(second as SocketAddress, HELLO);
  world.runFor(1);
  assert.deepEqual(machines[0]?.last?.from, second);
  assert.deepEqual(machines[1]?.last?.from, first);
});

test("IPv6 hosts behind firewalls see each other's own addresses once both have sent", () => {
  const world = new World();
  const sites = [1, 2].map((number) => new Site(world, `home ${number}`, { kind: "symmetric", number }));
  const hosts = sites.map((site, i) => site.addHost(`H${i}`));
  const addresses = sites.map((site, i) => site.joinIpv6(hosts[i] as (typeof hosts)[number]));
  const machines = hosts.map((host) => {
    const machine = new ProbeMachine();
    host.run(machine);
    return machine;
  });
  machines[0]?.send(addresses[1] as SocketAddress, HELLO);
  world.runFor(1);
  assert.equal(machines[1]?.received.length, 0);
  machines[1]?.send(addresses[0] as SocketAddress, HELLO);
  world.runFor(1);
  machines[0]?.send(addresses[1] as SocketAddress, HELLO);
  world.runFor(1);
  assert.deepEqual(machines[0]?.last?.from, addresses[1]);
  assert.deepEqual(machines[1]?.last?.from, addresses[0]);
});
