// Mapping by UPnP against a router on loopback: how it is found, what is asked of it, and what it may do wrong.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { formatSocketAddress } from "../../src/base/address.ts";
import { isOnNetwork, parseSearchAnswer } from "../../src/io/upnp-discovery.ts";
import { UpnpMapping } from "../../src/io/upnp-mapping.ts";
import { UpnpRefusal } from "../../src/io/upnp-service.ts";
import { until } from "./condition-wait.ts";
import { FakeUpnpRouter, loopbackPlace } from "./fake-upnp-router.ts";

const PORT = 41_000;

const SERVICE = `<service><serviceType>urn:schemas-upnp-org:service:WANIPConnection:1</serviceType>
  <controlURL>/ctl/ip</controlURL></service>`;

const homePlace = {
  family: 4,
  gateway: "192.168.1.1",
  device: "eth0",
  local: "192.168.1.10",
  networkBits: 24,
} as const;

async function startRouter(context: TestContext): Promise<FakeUpnpRouter> {
  const router = await FakeUpnpRouter.start();
  context.after(() => router.close());
  return router;
}

/** A mapping under way, and what it told. */
function startMapping(context: TestContext, router: FakeUpnpRouter, checkMs = 60_000, searchMs = 3_000) {
  const told: string[] = [];
  let onTold = (): void => {};
  const mapping = new UpnpMapping({
    place: loopbackPlace,
    internalPort: PORT,
    ssdpPort: router.ssdpPort,
    searchMs,
    checkMs,
    onMapped: (external, leaseSeconds) => {
      told.push(`${formatSocketAddress(external)} ${leaseSeconds}`);
      onTold();
    },
  });
  context.after(() => mapping.stop());
  const mapped = async (count: number): Promise<void> => {
    if (told.length >= count) return;
    const isTold = new Promise<void>((resolve) => (onTold = () => told.length >= count && resolve()));
    const hasEnded = mapping.end().then(({ reason }) => assert.fail(`not mapped ${count} times: ${reason}`));
    await Promise.race([isTold, hasEnded]);
  };
  return { mapping, told, mapped };
}

test("a port is mapped for two hours, and given back at the end", async (context) => {
  const router = await startRouter(context);
  const { mapping, told, mapped } = startMapping(context, router);
  await mapped(1);
  assert.deepEqual(told, ["203.0.113.9:41000 7200"]);
  const held = { client: "127.0.0.1", internalPort: "41000", leaseSeconds: "7200" };
  assert.deepEqual([...router.mappings], [["41000", held]]);
  await mapping.stop();
  assert.equal(router.mappings.size, 0);
  assert.equal((await mapping.end()).reason, "stopped");
});

test("the arguments of AddPortMapping stand in the order of its definition", async (context) => {
  const router = await startRouter(context);
  await startMapping(context, router).mapped(1);
  const body = router.bodies[router.actions.indexOf("AddPortMapping")] as string;
  assert.deepEqual(
    [...body.matchAll(/<(New\w+)>/g)].map((match) => match[1]),
    [
      "NewRemoteHost",
      "NewExternalPort",
      "NewProtocol",
      "NewInternalPort",
      "NewInternalClient",
      "NewEnabled",
      "NewPortMappingDescription",
      "NewLeaseDuration",
    ],
  );
});

test("a router that knows only permanent leases gets one, and it is taken back as well", async (context) => {
  const router = await startRouter(context);
  router.onlyPermanentLeases = true;
  const { mapping, told, mapped } = startMapping(context, router);
  await mapped(1);
  assert.deepEqual(told, ["203.0.113.9:41000 0"]);
  await mapping.stop();
  assert.equal(router.mappings.size, 0);
});

test("where another host holds the port, another port outside is asked for", async (context) => {
  const router = await startRouter(context);
  const other = { client: "127.0.0.9", internalPort: "1", leaseSeconds: "0" };
  router.mappings.set("41000", other);
  const { mapping, told, mapped } = startMapping(context, router);
  await mapped(1);
  assert.match(told[0] as string, /^203\.0\.113\.9:(?!41000)(49|5\d|6\d)\d{3} 7200$/);
  await mapping.stop();
  assert.deepEqual([...router.mappings], [["41000", other]]);
});

test("ports that others hold are asked for five times at most, and nothing of theirs is taken away", async (context) => {
  const router = await startRouter(context);
  router.refusal = 718;
  const { mapping } = startMapping(context, router);
  const end = await mapping.end();
  assert.equal(end.reason, "refused");
  assert.match(end.message, /718/);
  assert.equal(router.count("AddPortMapping"), 5);
  assert.equal(router.count("DeletePortMapping"), 0);
});

test("a refusal is told with the router's own words", async (context) => {
  const router = await startRouter(context);
  router.refusal = 606;
  const { mapping } = startMapping(context, router);
  assert.deepEqual(await mapping.end(), { reason: "refused", message: "Error 606 (UPnP error 606)" });
});

test("a router's words are cut to a line", () => {
  const { message } = new UpnpRefusal(501, `a\r\nb${"c".repeat(200)}`);
  assert.equal(message, `a b${"c".repeat(97)} (UPnP error 501)`);
});

test("a router without a public address is asked for nothing", async (context) => {
  for (const [external, reason] of [
    ["10.0.0.2", "carrier-nat"],
    ["100.64.3.4", "carrier-nat"],
    ["0.0.0.0", "refused"],
    ["", "refused"],
    ["somewhere", "refused"],
  ]) {
    const router = await startRouter(context);
    router.external = external as string;
    const { mapping } = startMapping(context, router);
    assert.equal((await mapping.end()).reason, reason, external);
    assert.equal(router.count("AddPortMapping"), 0);
  }
});

test("a router that forgot the mapping is asked for it again at the next check", async (context) => {
  const router = await startRouter(context);
  const { mapped, told } = startMapping(context, router, 20);
  await mapped(1);
  router.mappings.clear();
  await until(() => router.mappings.size === 1);
  assert.equal(told.length, 1);
});

test("a mapping that is there is only looked at", async (context) => {
  const router = await startRouter(context);
  await startMapping(context, router, 20).mapped(1);
  await until(() => router.count("GetSpecificPortMappingEntry") >= 3);
  assert.equal(router.count("AddPortMapping"), 1);
});

test("another address of the router is told", async (context) => {
  const router = await startRouter(context);
  const { mapped, told } = startMapping(context, router, 20);
  await mapped(1);
  router.external = "203.0.113.10";
  await mapped(2);
  assert.equal(told[1], "203.0.113.10:41000 7200");
});

test("a router that is gone for three checks has lost the mapping", async (context) => {
  const router = await FakeUpnpRouter.start();
  const { mapping, mapped } = startMapping(context, router, 20);
  await mapped(1);
  await router.close();
  assert.equal((await mapping.end()).reason, "lost");
});

test("nobody answers: that is told after the time of a search, in which it was made twice", async (context) => {
  const router = await startRouter(context);
  router.isSilent = true;
  const mapping = new UpnpMapping({
    place: loopbackPlace,
    internalPort: PORT,
    ssdpPort: router.ssdpPort,
    searchMs: 700,
    onMapped: () => {},
  });
  assert.equal((await mapping.end()).reason, "silent");
  assert.equal(router.searches, 4);
});

test("a mapping that is stopped during the search is stopped at once", async (context) => {
  const router = await startRouter(context);
  router.isSilent = true;
  const mapping = new UpnpMapping({
    place: loopbackPlace,
    internalPort: PORT,
    ssdpPort: router.ssdpPort,
    searchMs: 60_000,
    onMapped: () => {},
  });
  await mapping.stop();
  assert.equal((await mapping.end()).reason, "stopped");
});

test("a description that is too long is not read", async (context) => {
  const router = await startRouter(context);
  router.description = `<root>${SERVICE}${" ".repeat(70_000)}</root>`;
  const { mapping } = startMapping(context, router, 60_000, 300);
  assert.equal((await mapping.end()).reason, "silent");
  assert.deepEqual(router.actions, []);
});

test("a description cannot have another machine called", async (context) => {
  const router = await startRouter(context);
  let isCalled = false;
  const other = createServer((_request, response) => {
    isCalled = true;
    response.end();
  });
  await new Promise<void>((resolve) => other.listen(0, "127.0.0.2", resolve));
  context.after(() => other.close());
  const url = `http://127.0.0.2:${(other.address() as AddressInfo).port}/ctl`;
  router.description = `<root><URLBase>${url}</URLBase>${SERVICE.replace("/ctl/ip", url)}</root>`;
  const { mapping } = startMapping(context, router, 60_000, 300);
  assert.equal((await mapping.end()).reason, "silent");
  assert.equal(isCalled, false);
});

test("only private addresses of the router's own network are talked to", () => {
  assert.ok(isOnNetwork("192.168.1.1", homePlace));
  assert.ok(!isOnNetwork("192.168.2.1", homePlace));
  assert.ok(!isOnNetwork("127.0.0.1", homePlace));
  assert.ok(!isOnNetwork("router.example", homePlace));
  const publicPlace = { ...homePlace, gateway: "198.51.100.1", local: "198.51.100.10" };
  assert.ok(!isOnNetwork("198.51.100.1", publicPlace));
});

test("an answer to a search leads nowhere but to such an address, by plain HTTP", () => {
  const answer = (location: string, status = "HTTP/1.1 200 OK") =>
    `${status}\r\nEXT:\r\nLOCATION:  ${location} \r\nST: x\r\n\r\n`;
  const host = (text: string) => parseSearchAnswer(text, homePlace)?.host;
  assert.equal(host(answer("http://192.168.1.1:5000/desc.xml")), "192.168.1.1:5000");
  assert.equal(host(answer("http://192.168.1.77/desc.xml")), "192.168.1.77");
  assert.equal(host(answer("http://203.0.113.9/desc.xml")), undefined);
  assert.equal(host(answer("http://192.168.2.1/desc.xml")), undefined);
  assert.equal(host(answer("http://localhost/desc.xml")), undefined);
  assert.equal(host(answer("http://0x7f.1/desc.xml")), undefined);
  assert.equal(host(answer("https://192.168.1.1/desc.xml")), undefined);
  assert.equal(host(answer("file:///etc/passwd")), undefined);
  assert.equal(host(answer("http://me:secret@192.168.1.1/")), undefined);
  assert.equal(host(answer("http://192.168.1.1/", "NOTIFY * HTTP/1.1")), undefined);
  assert.equal(host("HTTP/1.1 200 OK\r\n\r\n"), undefined);
});
