// The userspace link in the lab: what goes through it and what does not, and that each kind of weather does what it says.

import assert from "node:assert/strict";
import { after, before, type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { LinkSettings } from "../../scripts/link/link-settings.ts";
import { Lab } from "./lab.ts";
import { assertNats } from "./nat-observation.ts";
import type { LabNode } from "./topology.ts";
import { skipsWithoutLink, UserspaceLink } from "./userspace-link.ts";

let lab: Lab<"A" | "B">;
before(async () => {
  lab = await Lab.create({ A: "port-restricted", B: "none" });
});
after(() => lab.destroy());

interface Echo {
  /** Round trips in ms, in the order of the answers. */
  readonly tripsMs: readonly number[];
  /** Numbers of the answered packets, in the order of the answers. */
  readonly order: readonly number[];
}

const ECHO_SERVER = `
  const socket = require("dgram").createSocket("udp4");
  socket.on("message", (message, { port, address }) => socket.send(message, port, address));
  socket.bind(7, () => console.log(JSON.stringify({ event: "ready" })));`;

/** Sends packets, one every 2 ms, from A's host to an echo server. @returns what came back within half a second. */
async function echo(to: LabNode, count: number, lengthBytes = 100): Promise<Echo> {
  const server = lab.spawn(to, [process.execPath, "-e", ECHO_SERVER]);
  await server.waitForJson("ready", 10_000);
  const code = `
    const socket = require("dgram").createSocket("udp4");
    const sent = [], tripsMs = [], order = [];
    socket.on("message", (message) => {
      const number = message.readUInt32BE(0);
      tripsMs.push(performance.now() - sent[number]);
      order.push(number);
    });
    const next = () => {
      const number = sent.length;
      if (number === ${count}) return setTimeout(() => { console.log(JSON.stringify({ tripsMs, order })); socket.close(); }, 500);
      const message = Buffer.alloc(${lengthBytes});
      message.writeUInt32BE(number);
      sent.push(performance.now());
      socket.send(message, 7, "${to.publicAddresses[0]}");
      setTimeout(next, 2);
    };
    next();`;
  const result = await lab.output(lab.sites.A.host, [process.execPath, "-e", code]);
  await server.stop("SIGKILL");
  return JSON.parse(result) as Echo;
}

/** The quickest: the others also waited for their turn on a machine that is busy with other things. */
const quickestMs = ({ tripsMs }: Echo): number => Math.min(...tripsMs);

/** A link that is gone with the test; undefined where the test is left out. */
async function linkFor(
  context: TestContext,
  to: LabNode,
  weather: Partial<LinkSettings> = {},
): Promise<UserspaceLink | undefined> {
  if (skipsWithoutLink(context)) return undefined;
  const link = await UserspaceLink.between(lab, lab.sites.A.outerRouter, to, weather);
  context.after(() => link.remove());
  return link;
}

test("a link between two sites carries what they say to each other, both ways, and nothing else", async (context) => {
  const { B } = lab.sites;
  const link = await linkFor(context, B.outerRouter, { delayMs: 15 });
  if (link === undefined) return;
  const linked = await echo(B.host, 100);
  assert.equal(linked.order.length, 100);
  assert.ok(quickestMs(linked) >= 30 && quickestMs(linked) < 32, `a round trip took ${quickestMs(linked)} ms`);
  assert.ok(quickestMs(await echo(lab.rendezvous, 50)) < 5);
  const { there, back } = await link.report();
  assert.ok(there.delivered >= 100 && back.delivered >= 100);
  await link.remove();
  assert.ok(quickestMs(await echo(B.host, 50)) < 5, "the way leads over the public segment again");
});

test("each way has its weather, which changes while packets are under way", async (context) => {
  const { B } = lab.sites;
  const link = await linkFor(context, B.outerRouter, { delayMs: 5 });
  if (link === undefined) return;
  await link.change({ delayMs: 25 }, "there");
  const unevenMs = quickestMs(await echo(B.host, 50));
  assert.ok(unevenMs >= 30 && unevenMs < 32, `25 ms there and 5 ms back: ${unevenMs} ms`);
  await link.change({ lossProbability: 1 }, "back");
  assert.equal((await echo(B.host, 20)).order.length, 0);
  assert.ok((await link.report()).back.lost >= 20);
  await link.change({ lossProbability: 0 }, "back");
  const running = echo(B.host, 300);
  await sleep(400);
  await link.change({ lossProbability: 0.5 });
  const { order } = await running;
  assert.ok(order.length > 40 && order.length < 260, `${order.length} of 300 came back`);
});

test("packets too long for the link vanish without a word, and the sender's idea of the way stays", async (context) => {
  const { A, B } = lab.sites;
  const link = await linkFor(context, B.outerRouter, { mtuBytes: 1280 });
  if (link === undefined) return;
  assert.equal((await echo(B.host, 5, 1252)).order.length, 5);
  assert.equal((await echo(B.host, 5, 1253)).order.length, 0);
  assert.equal((await link.report()).there.tooLong, 5);
  assert.doesNotMatch(await lab.output(A.host, ["ip", "route", "get", B.host.address]), /mtu/);
});

test("a NAT behaves as it is named across a link to the rendezvous, whatever its weather", async (context) => {
  const weather = { delayMs: 20, jitterMs: 5, duplicateProbability: 0.1 };
  const link = await linkFor(context, lab.rendezvous, weather);
  if (link === undefined) return;
  await assertNats(lab, lab.sites.A);
  assert.ok((await link.report()).there.delivered > 0);
});

test("an order that makes no sense is refused by name, and the link goes on", async (context) => {
  const { B } = lab.sites;
  const link = await linkFor(context, B.outerRouter);
  if (link === undefined) return;
  const wrong = { lossProbability: 2 };
  await assert.rejects(link.change(wrong), /refused.*lossProbability is 2; it has to be a number from 0 to 1/);
  await link.change({ lossProbability: 0 });
  assert.equal((await echo(B.host, 5)).order.length, 5);
});
