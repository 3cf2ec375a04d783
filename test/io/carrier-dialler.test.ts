// Streams from an agent's side to a rendezvous's, over everything there is between the two.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { formatSocketAddress, socketAddress } from "../../src/base/address.ts";
import { silentLog } from "../../src/base/log.ts";
import { type Carrier, isStreamCarrier, RouteTable } from "../../src/base/route.ts";
import { AcceptedCarriers } from "../../src/io/accepted-carriers.ts";
import { CarrierDialler } from "../../src/io/carrier-dialler.ts";
import type { StreamCarrier } from "../../src/io/stream-carrier.ts";
import { StreamListener } from "../../src/io/stream-listener.ts";
import { type Certificate, WebsocketListener } from "../../src/io/websocket-listener.ts";
import type { CarrierGoal, OpenedCarrier, RendezvousGoal } from "../../src/tunnel/carrier-goal.ts";
import { writeDataHeader } from "../../src/wire/datagram.ts";
import { until } from "./condition-wait.ts";
import { SmallProxy } from "./small-proxy.ts";

const routes = new RouteTable();

function packet(mark: number, lengthBytes = 100): Uint8Array {
  const bytes = new Uint8Array(lengthBytes).fill(mark);
  writeDataHeader(bytes, 0, 0, lengthBytes, 7, 1, mark);
  return bytes;
}

function send(socket: StreamCarrier, bytes: Uint8Array): void {
  socket.transmit.single(routes.direct(socket.remote), bytes);
  socket.send();
}

/** A rendezvous that sends every packet back. */
class Echo {
  readonly open = new Map<Carrier, StreamCarrier>();
  readonly remotes: string[] = [];
  readonly accepted: AcceptedCarriers;
  port = 0;
  websocketPort = 0;
  private readonly listeners: { close(): void }[] = [];

  constructor(bounds: { readonly max?: number; readonly perHostMax?: number } = {}) {
    this.accepted = new AcceptedCarriers({
      log: silentLog,
      ...bounds,
      onOpened: (carrier, socket) => {
        this.open.set(carrier, socket);
        this.remotes.push(formatSocketAddress(socket.remote));
        socket.start({ onDatagram: (_from, bytes) => send(socket, bytes), onAllRead() {}, onReady() {} });
      },
      onClosed: (carrier) => this.open.delete(carrier),
    });
  }

  async listenForTcp(): Promise<this> {
    const onStun = (): void => assert.fail("nobody asks by STUN");
    const listener = new StreamListener({ log: silentLog, accepted: this.accepted, onStun });
    // The port of UDP, which is not there in this test, is any that is free.
    this.port = 20_000 + (process.pid % 20_000);
    for (;;) {
      try {
        await listener.listen("127.0.0.1", this.port);
        break;
      } catch {
        this.port++;
      }
    }
    this.listeners.push(listener);
    return this;
  }

  async listenForWebsockets(certificate?: Certificate): Promise<this> {
    const listener = new WebsocketListener({ log: silentLog, accepted: this.accepted, certificate });
    this.websocketPort = await listener.listen("127.0.0.1", 0);
    this.listeners.push(listener);
    return this;
  }

  close(): void {
    for (const listener of this.listeners) listener.close();
    this.accepted.close();
  }
}

interface Dialled {
  readonly goal: CarrierGoal;
  readonly opened: OpenedCarrier;
  readonly socket: StreamCarrier;
}

function dialler(context: TestContext, environment: Record<string, string> = {}) {
  const dialled: Dialled[] = [];
  const closed: Carrier[] = [];
  const made = new CarrierDialler({
    environment,
    log: silentLog,
    onOpened: (goal, opened, socket) => dialled.push({ goal, opened, socket }),
    onClosed: (carrier) => closed.push(carrier),
  });
  context.after(() => {
    made.stop();
    for (const { socket } of dialled) socket.close();
  });
  return { dialler: made, dialled, closed };
}

const goalOf = (echo: Echo, host = "127.0.0.1", addresses = ["127.0.0.1"]): RendezvousGoal => ({
  to: "rendezvous",
  host,
  port: echo.port,
  websocketPort: echo.websocketPort,
  addresses: addresses.map((address) => socketAddress(address, 4700) ?? assert.fail()),
});

/** Sends packets there and back. */
async function assertEchoes({ opened, socket }: Dialled): Promise<void> {
  const received: Uint8Array[] = [];
  socket.start({
    onDatagram(from, bytes) {
      assert.equal(from, opened.remote);
      received.push(Uint8Array.from(bytes));
    },
    onAllRead() {},
    onReady() {},
  });
  const sent = Buffer.concat([packet(1, 60_000), packet(2), packet(3, 1200)]);
  send(socket, packet(1, 60_000));
  send(socket, packet(2));
  send(socket, packet(3, 1200));
  await until(() => Buffer.concat(received).length >= sent.length);
  assert.ok(Buffer.concat(received).equals(sent));
}

const kindsOf = (dialled: readonly Dialled[]): string[] =>
  dialled.map(({ opened }) => `${opened.kind}${opened.byProxy ? " by proxy" : ""}`).sort();

/** @returns a certificate that nobody has signed, or undefined where there is no openssl. */
function selfSigned(context: TestContext): Certificate | undefined {
  const folder = mkdtempSync(join(tmpdir(), "tunnel-certificate-"));
  context.after(() => rmSync(folder, { recursive: true }));
  const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
  const made = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-keyout", key, "-out", cert];
  const result = spawnSync("openssl", [
    "req",
    "-x509",
    "-nodes",
    "-days",
    "2",
    "-subj",
    "/CN=meet.example.org",
    ...made,
  ]);
  return result.status === 0 ? { cert: readFileSync(cert), key: readFileSync(key) } : undefined;
}

test("TCP and a WebSocket are opened side by side, and packets go both ways over each", async (context) => {
  const echo = await (await new Echo().listenForTcp()).listenForWebsockets();
  context.after(() => echo.close());
  const { dialler: made, dialled, closed } = dialler(context);
  made.open(goalOf(echo));
  await until(() => dialled.length === 2);
  assert.deepEqual(kindsOf(dialled), ["tcp", "websocket"]);
  for (const one of dialled) {
    assert.ok(isStreamCarrier(one.opened.carrier));
    assert.equal(one.opened.remote.host, "127.0.0.1");
    await assertEchoes(one);
  }
  // Each side is told when the other one goes.
  dialled[0]?.socket.close();
  await until(() => echo.open.size === 1 && closed.length === 1);
  echo.accepted.close();
  await until(() => closed.length === 2);
});

test("a WebSocket goes over TLS where that is spoken, whoever signed the certificate", async (context) => {
  const certificate = selfSigned(context);
  if (certificate === undefined) {
    context.skip("openssl is missing, which makes the certificate");
    return;
  }
  const echo = await new Echo().listenForWebsockets(certificate);
  context.after(() => echo.close());
  const { dialler: made, dialled } = dialler(context);
  made.open({ ...goalOf(echo), port: 1 });
  await until(() => dialled.length === 1);
  assert.deepEqual(kindsOf(dialled), ["websocket"]);
  await assertEchoes(dialled[0] ?? assert.fail());
});

test("a proxy is told the name, which nobody here can resolve, and both ways go through it", async (context) => {
  const echo = await (await new Echo().listenForTcp()).listenForWebsockets();
  const proxy = await new SmallProxy("me:secret", () => "127.0.0.1").listen();
  context.after(() => {
    echo.close();
    proxy.close();
  });
  const { dialler: made, dialled } = dialler(context, { HTTPS_PROXY: `http://me:secret@127.0.0.1:${proxy.port}` });
  made.open(goalOf(echo, "meet.example.org", []));
  await until(() => dialled.length === 2);
  assert.deepEqual(kindsOf(dialled), ["tcp by proxy", "websocket by proxy"]);
  for (const one of dialled) await assertEchoes(one);
  assert.ok(proxy.targets.includes(`meet.example.org:${echo.port}`));
  assert.ok(proxy.targets.includes(`meet.example.org:${echo.websocketPort}`));
});

test("NO_PROXY keeps the proxy out of it", async (context) => {
  const echo = await new Echo().listenForTcp();
  const proxy = await new SmallProxy().listen();
  context.after(() => {
    echo.close();
    proxy.close();
  });
  const environment = { HTTPS_PROXY: `http://127.0.0.1:${proxy.port}`, NO_PROXY: "127.0.0.1" };
  const { dialler: made, dialled } = dialler(context, environment);
  made.open({ ...goalOf(echo), websocketPort: 1 });
  await until(() => dialled.length === 1);
  await sleep(50);
  assert.deepEqual(kindsOf(dialled), ["tcp"]);
  assert.deepEqual(proxy.targets, []);
});

test("the address that answers is used, and a rendezvous that is being dialled is not dialled again", async (context) => {
  const echo = await new Echo().listenForTcp();
  context.after(() => echo.close());
  const { dialler: made, dialled } = dialler(context);
  // Nobody listens on the first one.
  const goal = { ...goalOf(echo, "both.example.org", ["127.0.0.2", "127.0.0.1"]), websocketPort: 1 };
  made.open(goal);
  made.open(goal);
  await until(() => dialled.length > 0);
  await sleep(50);
  assert.equal(dialled.length, 1);
  assert.deepEqual(dialled[0]?.opened.remote, socketAddress("127.0.0.1", echo.port));
  // Once all ways are known it may be asked for anew.
  made.open(goal);
  await until(() => dialled.length === 2);
  assert.notEqual(dialled[0]?.opened.carrier, dialled[1]?.opened.carrier);
});

test("connections beyond the bounds are refused, and a place is free again when one ends", async (context) => {
  for (const bounds of [{ max: 2 }, { perHostMax: 2 }]) {
    const echo = await new Echo(bounds).listenForTcp();
    context.after(() => echo.close());
    const { dialler: made, dialled, closed } = dialler(context);
    const dial = async (): Promise<void> => {
      const before = dialled.length;
      made.open({ ...goalOf(echo), websocketPort: 1 });
      await until(() => dialled.length > before);
      const { socket } = dialled.at(-1) as Dialled;
      socket.start({ onDatagram() {}, onAllRead() {}, onReady() {} });
      send(socket, packet(1));
      await sleep(30);
    };
    for (let i = 0; i < 3; i++) await dial();
    assert.deepEqual([echo.open.size, closed.length], [2, 1], JSON.stringify(bounds));
    dialled[0]?.socket.close();
    await until(() => echo.open.size === 1);
    await dial();
    assert.equal(echo.open.size, 2);
  }
});
