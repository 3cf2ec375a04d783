// Each kind of NAT behaves as RFC 4787 says of its kind, and as Linux was seen to (conntrack).

import assert from "node:assert/strict";
import { test } from "node:test";
import type { SocketAddress } from "../../src/base/address.ts";
import type { Host } from "./host.ts";
import type { NatBehaviour } from "./nat.ts";
import { ProbeMachine } from "./probe-machine.ts";
import type { Router } from "./router.ts";
import type { RouterKind } from "./router-kind.ts";
import { World } from "./world.ts";

const BEHAVIOURS: readonly NatBehaviour[] = ["endpoint-independent", "address-dependent", "address-and-port-dependent"];
const ROUTER_IP = "198.51.100.7";

class Bench {
  readonly world = new World({ seed: 5 });
  readonly router: Router;
  readonly inside: Host;
  /** Two public hosts. */
  readonly first: Host;
  readonly other: Host;

  constructor(router: RouterKind) {
    const inner = this.world.addNetwork("home");
    this.router = this.world.addRouter("router", { ip: ROUTER_IP, inner, router });
    this.inside = this.addInside("inside", "10.0.0.2");
    this.first = this.addRemote("first", "192.0.2.1");
    this.other = this.addRemote("other", "192.0.2.2");
  }

  addInside(name: string, ip: string, port = 4000): Host {
    const host = this.world.addHost(name, { ip, port, network: this.router.inner });
    host.run(new ProbeMachine());
    return host;
  }

  addRemote(name: string, ip: string): Host {
    const host = this.world.addHost(name, { ip, port: 1111 });
    host.run(new ProbeMachine());
    return host;
  }

  /** Sends one datagram. @returns the address that it was seen to come from, or undefined where it did not arrive. */
  send(from: Host, to: Host | SocketAddress, receiver = to as Host, hopLimit?: number): SocketAddress | undefined {
    const machine = receiver.machine as ProbeMachine;
    const before = machine.received.length;
    const address = "address" in to ? to.address : to;
    (from.machine as ProbeMachine).send(address, Uint8Array.of(1, 2, 3), undefined, undefined, hopLimit);
    from.drain();
    this.world.runFor(0);
    return machine.received.length > before ? machine.last?.from : undefined;
  }

  /** Sends one datagram from outside to an external address. @returns whether the inside host got it. */
  enters(from: Host, to: SocketAddress, port = from.port): boolean {
    const usual = from.port;
    from.changePort(port);
    const seen = this.send(from, to, this.inside);
    from.changePort(usual);
    return seen !== undefined;
  }

  /** @returns the address that a remote sees, with its port changed for this one datagram. */
  seenBy(remote: Host, port = remote.port, inside = this.inside): SocketAddress | undefined {
    const usual = remote.port;
    remote.changePort(port);
    const seen = this.send(inside, remote);
    remote.changePort(usual);
    return seen;
  }
}

for (const mapping of BEHAVIOURS) {
  test(`${mapping} mapping gives a new external port exactly where it says so`, () => {
    const bench = new Bench({ kind: "nat", mapping, ports: "random" });
    const port = bench.seenBy(bench.first)?.port;
    assert.equal(bench.seenBy(bench.first)?.port, port, "the same endpoint");
    assert.equal(bench.seenBy(bench.first, 2222)?.port === port, mapping !== "address-and-port-dependent", "port");
    assert.equal(bench.seenBy(bench.other)?.port === port, mapping === "endpoint-independent", "address");
    assert.equal(bench.seenBy(bench.first)?.port, port, "the first endpoint again");
  });
}

for (const filtering of BEHAVIOURS) {
  test(`${filtering} filtering lets in exactly whom it says`, () => {
    const bench = new Bench({ kind: "nat", filtering });
    const external: SocketAddress = { family: 4, host: ROUTER_IP, port: 4000 };
    assert.equal(bench.enters(bench.first, external), false, "before any packet went out");
    assert.deepEqual(bench.seenBy(bench.first), external);
    assert.equal(bench.enters(bench.first, external), true, "the endpoint itself");
    assert.equal(bench.enters(bench.first, external, 2222), filtering !== "address-and-port-dependent", "another port");
    assert.equal(bench.enters(bench.other, external), filtering === "endpoint-independent", "another address");
    assert.equal(bench.enters(bench.first, { ...external, port: 4001 }), false, "another external port");
  });
}

test("a preserved port goes to whom comes first, the next one gets another", () => {
  const bench = new Bench({ kind: "nat", ports: "preserve" });
  const second = bench.addInside("second", "10.0.0.3");
  assert.equal(bench.seenBy(bench.first)?.port, 4000);
  const port = bench.seenBy(bench.first, 1111, second)?.port;
  assert.notEqual(port, undefined);
  assert.notEqual(port, 4000);
});

test("sequential ports follow each other", () => {
  const bench = new Bench({ kind: "nat", mapping: "address-and-port-dependent", ports: "sequential" });
  const ports = [1, 2, 3, 4].map((port) => bench.seenBy(bench.first, port)?.port as number);
  const base = ports[0] as number;
  assert.deepEqual(ports, [base, base + 1, base + 2, base + 3]);
});

test("random ports do not follow each other", () => {
  const bench = new Bench({ kind: "nat", mapping: "address-and-port-dependent", ports: "random" });
  const ports = [1, 2, 3, 4].map((port) => bench.seenBy(bench.first, port)?.port as number);
  assert.equal(new Set(ports).size, 4);
  assert.ok(ports.every((port, i) => i === 0 || port !== (ports[i - 1] as number) + 1));
});

test("an unreplied mapping expires after 30 s, a replied one after 120 s, and packets prolong both", () => {
  const bench = new Bench({ kind: "nat" });
  const external = bench.seenBy(bench.first) as SocketAddress;
  bench.world.runFor(29_999);
  assert.equal(bench.enters(bench.first, external), true, "just before 30 s");
  bench.world.runFor(119_999);
  assert.equal(bench.enters(bench.first, external), true, "just before another 120 s");
  bench.world.runFor(120_000);
  assert.equal(bench.enters(bench.first, external), false, "after 120 s");

  bench.seenBy(bench.first);
  bench.world.runFor(30_000);
  assert.equal(bench.enters(bench.first, external), false, "after 30 s");
});

test("where inbound packets do not refresh, only outbound ones keep a mapping", () => {
  const bench = new Bench({ kind: "nat", isRefreshedInbound: false, repliedMs: 60_000 });
  const external = bench.seenBy(bench.first) as SocketAddress;
  bench.world.runFor(20_000);
  assert.equal(bench.enters(bench.first, external), true);
  bench.world.runFor(15_000);
  assert.equal(bench.enters(bench.first, external), false);
});

test("a mapping that expired comes back with another port where ports are random", () => {
  const bench = new Bench({ kind: "nat", ports: "random" });
  const before = bench.seenBy(bench.first)?.port;
  bench.world.runFor(31_000);
  assert.notEqual(bench.seenBy(bench.first)?.port, before);
});

test("a filter expires by itself though its mapping lives on, and a preserved port is free again once its mapping is gone", () => {
  const bench = new Bench({ kind: "nat" });
  const external = bench.seenBy(bench.first) as SocketAddress;
  bench.world.runFor(10_000);
  bench.seenBy(bench.other);
  bench.world.runFor(20_000);
  assert.equal(bench.enters(bench.first, external), false, "its own 30 s are over");
  assert.equal(bench.enters(bench.other, external), true);
  bench.world.runFor(200_000);
  assert.equal(bench.seenBy(bench.first, 1111, bench.addInside("second", "10.0.0.3"))?.port, 4000);
});

test("a hairpinning router connects two inside hosts by their external addresses, another one does not", () => {
  for (const hairpin of [false, true]) {
    const bench = new Bench({ kind: "nat", hairpin, filtering: "endpoint-independent" });
    const second = bench.addInside("second", "10.0.0.3", 5000);
    const external = bench.seenBy(bench.first, 1111, second) as SocketAddress;
    const seen = bench.send(bench.inside, external, second);
    assert.deepEqual(seen, hairpin ? { family: 4, host: ROUTER_IP, port: 4000 } : undefined);
  }
});

test("a full table drops new flows and keeps the old ones, and expired flows make room", () => {
  const bench = new Bench({ kind: "nat", flowsMax: 3 });
  for (let port = 1; port <= 5; port++) {
    assert.equal(bench.seenBy(bench.first, port) !== undefined, port <= 3, `flow ${port}`);
  }
  assert.equal(bench.world.drops.get("NAT table is full"), 2);
  assert.notEqual(bench.seenBy(bench.first, 2), undefined);
  assert.equal(bench.router.translator.flowsPeak, 3);
  bench.world.runFor(31_000);
  assert.equal(bench.router.translator.flowsAlive(bench.world.nowMs), 0);
  assert.notEqual(bench.seenBy(bench.first, 5), undefined);
  assert.equal(bench.router.translator.flowsAlive(bench.world.nowMs), 1);
  assert.equal(bench.router.translator.flowsPeak, 3);
});

test("a reboot forgets every mapping", () => {
  const bench = new Bench({ kind: "nat", ports: "random" });
  const external = bench.seenBy(bench.first) as SocketAddress;
  bench.router.reboot();
  assert.equal(bench.enters(bench.first, external), false);
  assert.notEqual(bench.seenBy(bench.first)?.port, external.port);
});

test("a router with a new address sends from it and no longer receives at the old one", () => {
  const bench = new Bench({ kind: "nat", filtering: "endpoint-independent" });
  const before = bench.seenBy(bench.first) as SocketAddress;
  bench.router.changeAddress("198.51.100.8");
  assert.equal(bench.seenBy(bench.first)?.host, "198.51.100.8");
  assert.equal(bench.enters(bench.first, before), false);
  assert.equal(bench.world.drops.get("nobody has this address"), 1);
});

test("a mapped port lets everybody in for ever, and answers leave from it", () => {
  for (const mapping of BEHAVIOURS) {
    const bench = new Bench({ kind: "nat", mapping, ports: "random" });
    const external = bench.router.mapPort(bench.inside.address, 7777);
    bench.world.runFor(1_000_000);
    assert.equal(bench.enters(bench.other, external), true);
    assert.equal(bench.seenBy(bench.other)?.port, 7777, mapping);
  }
});

test("behind two NATs the outer one's address is seen, and both filter", () => {
  const world = new World({ seed: 3 });
  const carrier = world.addNetwork("carrier");
  const home = world.addNetwork("home");
  world.addRouter("carrier", {
    ip: ROUTER_IP,
    inner: carrier,
    router: { kind: "nat", filtering: "endpoint-independent" },
  });
  world.addRouter("home", { ip: "100.64.0.2", inner: home, outer: carrier, router: { kind: "nat" } });
  const inside = world.addHost("inside", { ip: "10.0.0.2", network: home });
  const remote = world.addHost("remote", { ip: "192.0.2.1" });
  const stranger = world.addHost("stranger", { ip: "192.0.2.9" });
  const machines = [inside, remote, stranger].map((host) => {
    const machine = new ProbeMachine();
    host.run(machine);
    return machine;
  });
  const [insideMachine, remoteMachine, strangerMachine] = machines as [ProbeMachine, ProbeMachine, ProbeMachine];
  insideMachine.send(remote.address, new Uint8Array(10));
  world.runFor(0);
  const seen = remoteMachine.last?.from as SocketAddress;
  assert.deepEqual(seen, { family: 4, host: ROUTER_IP, port: 4000 });
  remoteMachine.send(seen, new Uint8Array(11));
  strangerMachine.send(seen, new Uint8Array(12));
  world.runFor(0);
  assert.deepEqual(
    insideMachine.received.map(({ bytes }) => bytes.length),
    [11],
  );
});

test("Linux keeps one external port for all remotes, and lets in only those", () => {
  const bench = new Bench({ kind: "conntrack" });
  const external: SocketAddress = { family: 4, host: ROUTER_IP, port: 4000 };
  assert.deepEqual(bench.seenBy(bench.first), external);
  assert.deepEqual(bench.seenBy(bench.other), external);
  assert.deepEqual(bench.seenBy(bench.first), external, "again");
  assert.equal(bench.enters(bench.first, external), true);
  assert.equal(bench.enters(bench.first, external, 2222), false);
  assert.equal(bench.enters(bench.other, external), true);
});

test("Linux lets two inside hosts share a port towards different remotes", () => {
  const bench = new Bench({ kind: "conntrack" });
  const second = bench.addInside("second", "10.0.0.3");
  assert.equal(bench.seenBy(bench.first)?.port, 4000);
  assert.equal(bench.seenBy(bench.other, 1111, second)?.port, 4000);
  assert.notEqual(bench.seenBy(bench.first, 1111, second)?.port, 4000);
});

test("a bad router gives the inside host another port towards who probed it first, and towards all who are new from then on", () => {
  const bench = new Bench({ kind: "conntrack", takesUnsolicited: true });
  const external: SocketAddress = { family: 4, host: ROUTER_IP, port: 4000 };
  assert.equal(bench.enters(bench.first, external), false);
  const poisoned = bench.seenBy(bench.first) as SocketAddress;
  assert.notEqual(poisoned.port, 4000);
  assert.deepEqual(bench.seenBy(bench.other), poisoned);
  assert.equal(bench.enters(bench.first, external), false, "the entry holds");
  assert.equal(bench.enters(bench.first, poisoned), true, "the port that the peer saw is open");
});

test("a bad router's entry is kept alive by further probes and forgotten after 30 s of quiet", () => {
  const bench = new Bench({ kind: "conntrack", takesUnsolicited: true });
  const external: SocketAddress = { family: 4, host: ROUTER_IP, port: 4000 };
  for (let i = 0; i < 4; i++) {
    bench.enters(bench.first, external);
    bench.world.runFor(20_000);
  }
  assert.notEqual(bench.seenBy(bench.first)?.port, 4000);
  bench.world.runFor(121_000);
  assert.equal(bench.seenBy(bench.first)?.port, 4000);
});

test("a good Linux router is not poisoned by an early probe", () => {
  const bench = new Bench({ kind: "conntrack" });
  bench.enters(bench.first, { family: 4, host: ROUTER_IP, port: 4000 });
  assert.equal(bench.seenBy(bench.first)?.port, 4000);
});

test("a packet with few hops left opens the NAT and dies on the way, or before the NAT, and the NAT stays closed", () => {
  for (const [hopLimit, opens] of [
    [1, false],
    [2, true],
    [4, true],
  ] as const) {
    const bench = new Bench({ kind: "nat" });
    bench.world.internet.routersBetween = 3;
    bench.seenBy(bench.other);
    assert.equal(bench.send(bench.inside, bench.first, bench.first, hopLimit), undefined);
    assert.equal(bench.world.drops.get("hops are used up"), 1);
    assert.equal(bench.enters(bench.first, { family: 4, host: ROUTER_IP, port: 4000 }), opens, `${hopLimit} hops`);
    assert.notEqual(bench.send(bench.inside, bench.first, bench.first, 5), undefined);
  }
});

test("a router that blocks UDP passes nothing", () => {
  const bench = new Bench({ kind: "udp-blocked" });
  assert.equal(bench.seenBy(bench.first), undefined);
  assert.equal(bench.enters(bench.first, { family: 4, host: ROUTER_IP, port: 4000 }), false);
  assert.equal(bench.world.drops.get("UDP is blocked"), 2);
});

for (const kind of ["nat", "conntrack"] as const) {
  test(`a path that the firewall cuts keeps no mapping alive (${kind})`, () => {
    const bench = new Bench({ kind });
    const external = bench.seenBy(bench.first) as SocketAddress;
    assert.equal(bench.enters(bench.first, external), true);
    bench.world.firewall.cut(bench.inside, bench.first);
    for (let i = 0; i < 13; i++) {
      assert.equal(bench.enters(bench.first, external), false);
      bench.world.runFor(10_000);
    }
    bench.world.firewall.clear();
    assert.equal(bench.enters(bench.first, external), false, "the mapping has expired meanwhile");
  });
}
