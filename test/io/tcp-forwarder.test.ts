// Forwarding over a tunnel in memory: what one end of a TCP connection does, the other end sees.

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { FORWARD_BUFFER_BYTES } from "../../src/base/limits.ts";
import { streamCode } from "../../src/wire/stream-code.ts";
import { WINDOW_BYTES } from "./memory-stream.ts";
import { Deferred, ending, MemoryTunnel, readAll, startService, type TestService } from "./memory-tunnel.ts";

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

async function tunnelTo(t: TestContext, onConnection: (socket: Socket) => void): Promise<[MemoryTunnel, TestService]> {
  const service = await startService(onConnection);
  const tunnel = await new MemoryTunnel(String(service.port)).open();
  t.after(() => {
    tunnel.close();
    service.close();
  });
  return [tunnel, service];
}

test("bytes go both ways at once, complete and in order", async (t) => {
  const [tunnel] = await tunnelTo(t, (socket) => socket.pipe(socket));
  const sent = randomBytes(3_000_000);
  const client = await tunnel.connect();
  client.end(sent);
  assert.equal(sha256(await readAll(client)), sha256(sent));
});

test("a half-close reaches the service, which can still answer", async (t) => {
  const [tunnel] = await tunnelTo(t, (socket) => {
    void readAll(socket).then((request) => setTimeout(() => socket.end(`got ${request.length}`), 30));
  });
  const client = await tunnel.connect();
  client.end("question");
  assert.equal(String(await readAll(client)), "got 8");
});

test("a half-close of the service reaches the client, which can still send", async (t) => {
  let request: Promise<Buffer> | undefined;
  const [tunnel] = await tunnelTo(t, (socket) => {
    socket.end("greeting");
    request = readAll(socket);
  });
  const client = await tunnel.connect();
  assert.equal(String(await readAll(client)), "greeting");
  client.write("still ");
  await sleep(20);
  client.end("here");
  assert.equal(String(await request), "still here");
});

test("when both ends have closed, nothing is kept", async (t) => {
  const [tunnel] = await tunnelTo(t, (socket) => socket.pipe(socket));
  const client = await tunnel.connect();
  client.end("x");
  await readAll(client);
  const open = (): number => tunnel.connecting.connectionCount + tunnel.exposing.connectionCount;
  for (let i = 0; i < 400 && open() > 0; i++) await sleep(5);
  assert.equal(open(), 0);
});

test("a client that stops reading stops the service, within bounded memory, and loses nothing", async (t) => {
  const sent = randomBytes(32_000_000);
  let service: Socket | undefined;
  const [tunnel] = await tunnelTo(t, (socket) => {
    service = socket;
    socket.end(sent);
  });
  const client = await tunnel.connect();
  client.pause();
  await sleep(300);
  assert.ok(service !== undefined && service.writableLength > 0, "the service is held up");
  const held = tunnel.streams[0]?.[0].peakBytes ?? 0;
  assert.ok(held <= WINDOW_BYTES + FORWARD_BUFFER_BYTES, `${held} bytes are held`);
  assert.equal(sha256(await readAll(client)), sha256(sent));
});

test("a service that stops reading stops the client, within bounded memory, and loses nothing", async (t) => {
  const sent = randomBytes(32_000_000);
  let service: Socket | undefined;
  const [tunnel] = await tunnelTo(t, (socket) => {
    service = socket.pause();
  });
  const client = await tunnel.connect();
  client.end(sent);
  await sleep(300);
  assert.ok(client.writableLength > 0, "the client is held up");
  const held = tunnel.streams[0]?.[1].peakBytes ?? 0;
  assert.ok(held <= WINDOW_BYTES + FORWARD_BUFFER_BYTES, `${held} bytes are held`);
  assert.equal(sha256(await readAll(service as Socket)), sha256(sent));
});

test("a client's reset is a reset at the service", async (t) => {
  const atService = new Deferred<string>();
  const [tunnel] = await tunnelTo(t, (socket) => void ending(socket).then(atService.resolve));
  const client = await tunnel.connect();
  client.write("x");
  await sleep(20);
  client.resetAndDestroy();
  assert.equal(await atService.promise, "ECONNRESET");
});

test("a service's reset is a reset at the client, and not the end of what it sent", async (t) => {
  const [tunnel] = await tunnelTo(t, (socket) => {
    socket.write("half of the answ");
    setTimeout(() => socket.resetAndDestroy(), 30);
  });
  const client = await tunnel.connect();
  assert.equal(await ending(client), "ECONNRESET");
});

test("a reset that comes together with the last bytes is a reset, on either side", async (t) => {
  let resetService: () => void = () => {};
  const [tunnel] = await tunnelTo(t, (socket) => {
    resetService = () => {
      socket.write("half of the answ");
      socket.resetAndDestroy();
    };
    socket.resume();
  });
  for (const side of ["client", "service"] as const) {
    const client = await tunnel.connect();
    client.on("error", () => {});
    client.write("x");
    await sleep(30);
    if (side === "service") {
      resetService();
    } else {
      client.write("half of the quest");
      client.resetAndDestroy();
    }
    const [atConnecting, atExposing] = tunnel.streams.at(-1) ?? [];
    const reached = side === "service" ? atConnecting : atExposing;
    for (let i = 0; i < 400 && reached?.resetCode === undefined; i++) await sleep(5);
    assert.equal(reached?.resetCode, streamCode.connectionReset);
  }
});

test("a client that asks no more and then leaves ends a service that sends for ever", async (t) => {
  const atService = new Deferred<string>();
  const [tunnel] = await tunnelTo(t, (socket) => {
    const block = Buffer.alloc(10_000);
    const timer = setInterval(() => socket.write(block), 1);
    socket.on("close", () => clearInterval(timer));
    socket.on("error", (error: NodeJS.ErrnoException) => atService.resolve(error.code ?? ""));
    socket.resume();
  });
  const client = await tunnel.connect();
  client.end();
  await once(client, "data");
  client.destroy();
  assert.match(await atService.promise, /ECONNRESET|EPIPE/);
});

test("an answer arrives whole although its service has closed and the client goes on sending", async (t) => {
  const sent = randomBytes(2_000_000);
  const [tunnel] = await tunnelTo(t, (socket) => {
    // All is written and the socket is closed; whatever comes now meets a reset.
    socket.end(sent, () => setTimeout(() => socket.destroy(), 50));
    socket.resume();
  });
  const client = await tunnel.connect();
  const talking = setInterval(() => client.write("more"), 5);
  client.on("error", () => {});
  const chunks: Buffer[] = [];
  client.on("data", (chunk) => chunks.push(chunk));
  await once(client, "end");
  clearInterval(talking);
  assert.equal(sha256(Buffer.concat(chunks)), sha256(sent));
});

test("a target that refuses is a reset at the client", async (t) => {
  const service = await startService(() => {});
  service.close();
  const tunnel = await new MemoryTunnel(`127.0.0.1:${service.port}`).open();
  t.after(() => tunnel.close());
  assert.equal(await ending(await tunnel.connect()), "ECONNRESET");
  assert.equal(tunnel.streams[0]?.[0].resetCode, streamCode.targetRefused);
  assert.equal(tunnel.exposing.connectionCount, 0);
});

test("a target on ::1 alone is found where a port is all that was given", async (t) => {
  const server = createServer((socket) => socket.on("error", () => {}).end("six"));
  // A machine without IPv6 has no such services, and nothing to find.
  if (!Object.values(networkInterfaces()).some((list) => list?.some(({ address }) => address === "::1"))) return;
  server.listen(0, "::1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const tunnel = await new MemoryTunnel(String(port)).open();
  t.after(() => {
    tunnel.close();
    server.close();
  });
  const client = await tunnel.connect();
  assert.equal(String(await readAll(client)), "six");
  client.end();
});

test("a unix socket is a target, half-close included", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "tunnel-test-"));
  const path = join(directory, "service.sock");
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    void readAll(socket).then((request) => socket.end(`got ${request}`));
  }).listen(path);
  await once(server, "listening");
  const tunnel = await new MemoryTunnel(`unix:${path}`).open();
  t.after(() => {
    tunnel.close();
    server.close();
    rmSync(directory, { recursive: true });
  });
  const client = await tunnel.connect();
  client.end("it");
  assert.equal(String(await readAll(client)), "got it");
});

test("a unix socket that is not there is a reset that says so", async (t) => {
  const tunnel = await new MemoryTunnel("unix:/nonexistent/service.sock").open();
  t.after(() => tunnel.close());
  assert.equal(await ending(await tunnel.connect()), "ECONNRESET");
  assert.equal(tunnel.streams[0]?.[0].resetCode, streamCode.targetUnreachable);
});

test("a connection beyond the process's limit is reset with its reason, and the others live", async (t) => {
  const service = await startService((socket) => socket.pipe(socket));
  const tunnel = await new MemoryTunnel(String(service.port), 1).open();
  t.after(() => {
    tunnel.close();
    service.close();
  });
  const first = await tunnel.connect();
  first.write("a");
  await once(first, "data");
  assert.equal(await ending(await tunnel.connect()), "ECONNRESET");
  assert.equal(tunnel.streams[1]?.[0].resetCode, streamCode.outOfResources);
  first.end("b");
  assert.equal(String(await readAll(first)), "b");
});

test("the end of the process is a reset for what is under way", async (t) => {
  const [tunnel] = await tunnelTo(t, (socket) => socket.write("the beginning of"));
  const client = await tunnel.connect();
  await once(client, "data");
  const end = ending(client);
  tunnel.connecting.resetAll();
  assert.equal(await end, "ECONNRESET");
});
