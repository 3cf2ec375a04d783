// HTTP/2 as Node speaks it (RFC 9113): many streams with bodies and trailers in one TCP connection, and one of them given up.

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  createServer,
  type IncomingHttpHeaders,
} from "node:http2";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { tunnelTo } from "./app-tunnel.ts";

const STREAMS = 50;
const BODY_BYTES = 300_000;
/** In MB. By default Node refuses streams of a session that holds 10 MB, and the bodies are more. */
const memory = { maxSessionMemory: 100 };

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/** A server that sends every body back while it comes, and its checksum as a trailer. */
async function startEcho(t: TestContext): Promise<ClientHttp2Session> {
  const server = createServer(memory);
  // What goes wrong with a session shows in its streams; that it is cut off at the end, when the tunnel goes first, is no failure.
  server.on("sessionError", () => {});
  let connections = 0;
  server.on("connection", () => connections++);
  server.on("stream", (stream) => {
    const hash = createHash("sha256");
    stream.respond({ ":status": 200 }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "content-sha256": hash.digest("hex") }));
    stream.on("error", () => {});
    stream.on("data", (chunk: Buffer) => {
      hash.update(chunk);
      if (!stream.write(chunk)) stream.pause();
    });
    stream.on("drain", () => stream.resume());
    stream.on("end", () => stream.end());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const session = connect(`http://127.0.0.1:${await tunnelTo(t, (server.address() as AddressInfo).port)}`, memory);
  session.on("error", () => {});
  t.after(() => {
    session.destroy();
    server.close();
    assert.equal(connections, 1, "all streams were in one connection");
  });
  return session;
}

const post = (session: ClientHttp2Session): ClientHttp2Stream => session.request({ ":method": "POST", ":path": "/" });

/** Sends a body. @returns the checksums of what came back, as it was counted here and as the trailer says. */
async function echo(session: ClientHttp2Session, body: Buffer): Promise<readonly [string, string]> {
  const stream = post(session);
  let trailer = "";
  stream.on("trailers", (headers: IncomingHttpHeaders) => {
    trailer = String(headers["content-sha256"]);
  });
  const chunks: Buffer[] = [];
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  stream.end(body);
  await once(stream, "close");
  return [sha256(Buffer.concat(chunks)), trailer];
}

test("HTTP/2 through the tunnel", async (t) => {
  const session = await startEcho(t);
  await t.test("50 streams at once carry their bodies both ways, each with its trailer", async () => {
    const bodies = Array.from({ length: STREAMS }, () => randomBytes(BODY_BYTES));
    const echoed = await Promise.all(bodies.map((body) => echo(session, body)));
    assert.deepEqual(
      echoed,
      bodies.map((body) => [sha256(body), sha256(body)]),
    );
  });

  await t.test("a stream that is given up in the middle takes no other one along", async () => {
    const given = post(session);
    given.on("error", () => {});
    given.write(randomBytes(BODY_BYTES));
    await once(given, "data");
    given.close(constants.NGHTTP2_CANCEL);
    await once(given, "close");
    const body = randomBytes(BODY_BYTES);
    assert.deepEqual(await echo(session, body), [sha256(body), sha256(body)]);
  });
});
