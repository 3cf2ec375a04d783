// The whole of it on loopback: a router that speaks PCP, or NAT-PMP, or UPnP alone, or nothing; networks that change; the end.

import assert from "node:assert/strict";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { formatSocketAddress } from "../../src/base/address.ts";
import { PORT_MAPPING_ANNOUNCE_PORT } from "../../src/base/limits.ts";
import { type LogFields, silentLog } from "../../src/base/log.ts";
import type { RouterPlace } from "../../src/io/default-gateway.ts";
import { PortMapper } from "../../src/io/port-mapper.ts";
import { FakeRouter, type FakeRouterOptions } from "../traversal/fake-router.ts";
import { until } from "./condition-wait.ts";
import { FakeUpnpRouter, loopbackPlace } from "./fake-upnp-router.ts";

const PORT = 41_000;

/** A fake router behind a real socket. */
class LoopbackRouter {
  readonly router: FakeRouter;
  readonly socket: Socket;

  private constructor(options: FakeRouterOptions) {
    this.router = new FakeRouter(options);
    this.socket = createSocket("udp4");
    this.socket.on("message", (bytes, from) => {
      const answer = this.router.answer(performance.now(), bytes);
      if (answer !== undefined) this.socket.send(answer, from.port, from.address);
    });
  }

  static async start(context: TestContext, options: FakeRouterOptions): Promise<LoopbackRouter> {
    const router = new LoopbackRouter(options);
    router.socket.bind(0, "127.0.0.1");
    await once(router.socket, "listening");
    context.after(() => router.socket.close());
    return router;
  }

  get port(): number {
    return this.socket.address().port;
  }

  /** Sends this to every host of its network, which is loopback. */
  announce(bytes: Uint8Array): void {
    this.socket.setMulticastInterface("127.0.0.1");
    this.socket.send(bytes, PORT_MAPPING_ANNOUNCE_PORT, "224.0.0.1");
  }
}

interface Started {
  readonly mapper: PortMapper;
  /** What was told, in order: the addresses joined by a space. */
  readonly told: string[];
  readonly said: { message: string; fields: LogFields | undefined }[];
  places: readonly RouterPlace[];
}

function startMapper(context: TestContext, gatewayPort: number, ssdpPort = 9): Started {
  const started = {
    told: [] as string[],
    said: [] as { message: string; fields: LogFields | undefined }[],
    places: [loopbackPlace] as readonly RouterPlace[],
  };
  const mapper = new PortMapper({
    port: PORT,
    families: [4],
    log: { ...silentLog, info: (message, fields) => started.said.push({ message, fields }) },
    onAddresses: (addresses) => started.told.push(addresses.map(formatSocketAddress).join(" ")),
    onFault: (error) => assert.fail(String(error)),
    findRouters: () => started.places,
    gatewayPort,
    ssdpPort,
    lookMs: 50,
  });
  context.after(() => mapper.stop());
  mapper.start();
  return Object.assign(started, { mapper });
}

const eventually = (what: string, condition: () => boolean): Promise<void> => until(condition, what, 8_000);

for (const [name, options] of [
  ["PCP", { pcp: true, natPmp: false }],
  ["NAT-PMP", { pcp: false, natPmp: true }],
] as const) {
  test(`a port is mapped by ${name}, told and said once, and given back at the end`, async (context) => {
    const { router, port } = await LoopbackRouter.start(context, options);
    const { mapper, told, said } = startMapper(context, port);
    await eventually("the mapping", () => told.length > 0);
    assert.deepEqual(told, ["203.0.113.9:41000"]);
    assert.equal(said.length, 1);
    assert.equal(said[0]?.fields?.protocol, name);
    assert.equal(router.mappings.size, 1);
    await mapper.stop();
    assert.equal(router.mappings.size, 0);
    assert.deepEqual(told, ["203.0.113.9:41000"], "who stops it needs not be told that the addresses are gone");
  });
}

test("where nobody listens for PCP, UPnP is asked at once", async (context) => {
  const upnp = await FakeUpnpRouter.start();
  context.after(() => upnp.close());
  const startMs = performance.now();
  // Port 9 of loopback: nobody listens there.
  const { mapper, told, said } = startMapper(context, 9, upnp.ssdpPort);
  await eventually("the mapping", () => told.length > 0);
  const tookMs = performance.now() - startMs;
  assert.ok(tookMs < 1500, `it took ${tookMs} ms`);
  assert.deepEqual(told, ["203.0.113.9:41000"]);
  assert.equal(said[0]?.fields?.protocol, "UPnP");
  await mapper.stop();
  assert.equal(upnp.mappings.size, 0);
});

test("a router that refuses by PCP is asked by UPnP as well", async (context) => {
  const { router, port } = await LoopbackRouter.start(context, {});
  router.result = 2;
  const upnp = await FakeUpnpRouter.start();
  context.after(() => upnp.close());
  const { told } = startMapper(context, port, upnp.ssdpPort);
  await eventually("the mapping", () => told.length > 0);
});

test("a router behind another NAT is not asked by UPnP, and nothing is told but why", async (context) => {
  const { port } = await LoopbackRouter.start(context, { external: "100.64.1.2" });
  const upnp = await FakeUpnpRouter.start();
  context.after(() => upnp.close());
  const { told, said } = startMapper(context, port, upnp.ssdpPort);
  await eventually("the reason", () => said.length > 0);
  assert.match(String(said[0]?.fields?.reason), /100\.64\.1\.2/);
  assert.deepEqual(told, []);
  assert.equal(upnp.searches, 0);
});

test("where nothing answers, that is said once, and stopping takes no time", async (context) => {
  const { mapper, said, told } = startMapper(context, 9);
  await eventually("the sentence", () => said.length > 0);
  assert.match(said[0]?.message as string, /neither PCP nor NAT-PMP nor UPnP/);
  const startMs = performance.now();
  await mapper.stop();
  assert.ok(performance.now() - startMs < 200);
  assert.deepEqual(told, []);
});

test("what is found again is not said again", async (context) => {
  const { router, port } = await LoopbackRouter.start(context, {});
  router.result = 2;
  const upnp = await FakeUpnpRouter.start();
  context.after(() => upnp.close());
  upnp.refusal = 606;
  const { mapper, said } = startMapper(context, port, upnp.ssdpPort);
  for (const round of [1, 2, 3]) {
    await eventually("a refusal", () => upnp.count("AddPortMapping") === round);
    await sleep(20);
    mapper.refresh();
  }
  assert.equal(said.length, 1);
  assert.match(String(said[0]?.fields?.reason), /606/);
});

test("a router that announces to all hosts that it started anew is asked again", async (context) => {
  const loopback = await LoopbackRouter.start(context, { natPmp: false });
  const { router } = loopback;
  router.startedAtMs = performance.now() - 3_600_000;
  const { told } = startMapper(context, loopback.port);
  await eventually("the mapping", () => told.length > 0);
  router.restart(performance.now());
  await eventually("another mapping", () => {
    loopback.announce(router.announcement(performance.now(), "pcp"));
    return router.mappings.size > 0;
  });
});

test("on another network the old address is taken back and another router is asked", async (context) => {
  const { router, port } = await LoopbackRouter.start(context, {});
  const started = startMapper(context, port);
  await eventually("the mapping", () => started.told.length > 0);
  started.places = [];
  started.mapper.refresh();
  assert.deepEqual(started.told, ["203.0.113.9:41000", ""]);
  await eventually("the end of the mapping", () => router.mappings.size === 0);
  router.external = "203.0.113.77";
  started.places = [{ ...loopbackPlace, device: "lo2" }];
  started.mapper.refresh();
  await eventually("the other mapping", () => started.told.length > 2);
  assert.equal(started.told[2], "203.0.113.77:41000");
});

test("a router that comes later than the address is found without anybody's word", async (context) => {
  const { port } = await LoopbackRouter.start(context, {});
  const started = startMapper(context, port);
  started.places = [];
  await eventually("the end of the first mapping", () => started.told.at(-1) === "");
  started.places = [loopbackPlace];
  await eventually("the mapping", () => started.told.at(-1) === "203.0.113.9:41000");
});

test("on the same network the mapping stays, and is renewed", async (context) => {
  const { router, port } = await LoopbackRouter.start(context, {});
  const { mapper, told } = startMapper(context, port);
  await eventually("the mapping", () => told.length > 0);
  router.mappings.clear();
  mapper.refresh();
  await eventually("the renewal", () => router.mappings.size > 0);
  assert.equal(told.length, 1);
});

test("a mapper that is stopped while it asks leaves nothing behind", async (context) => {
  const { router, port } = await LoopbackRouter.start(context, {});
  for (const delayMs of [0, 1, 2, 5]) {
    const { mapper } = startMapper(context, port);
    if (delayMs > 0) await sleep(delayMs);
    await mapper.stop();
    assert.equal(router.mappings.size, 0, `after ${delayMs} ms`);
  }
});
