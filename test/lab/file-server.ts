// An HTTP server to be exposed: GET /<lengthBytes>/<seed> answers with that much of that content, at `?rate=` bytes
// a second where one is given. It writes as fast as it is read from and holds nothing back.
//
//   node file-server.js <port>

import { createServer, type ServerResponse } from "node:http";
import { Content } from "./content.ts";

const CHUNK_BYTES = 1 << 16;
const TICK_MS = 10;

/** Writes the content as the reader takes it, and no faster than the rate allows. */
function serve(response: ServerResponse, seed: string, lengthBytes: number, bytesPerSecond: number): void {
  const content = new Content(seed);
  const startMs = performance.now();
  let sentBytes = 0;
  const write = (): void => {
    while (sentBytes < lengthBytes && !response.destroyed) {
      const allowedBytes = ((performance.now() - startMs + TICK_MS) / 1000) * bytesPerSecond;
      if (sentBytes >= allowedBytes) {
        setTimeout(write, TICK_MS);
        return;
      }
      const chunk = content.next(Math.min(CHUNK_BYTES, lengthBytes - sentBytes));
      sentBytes += chunk.length;
      if (!response.write(chunk)) {
        response.once("drain", write);
        return;
      }
    }
    response.end();
  };
  write();
}

const server = createServer((request, response) => {
  const url = new URL(request.url ?? "/", "http://server");
  const [, length = "0", seed = ""] = url.pathname.split("/");
  const rate = url.searchParams.get("rate");
  response.writeHead(200, { "Content-Length": length, "Content-Type": "application/octet-stream" });
  serve(response, seed, Number(length), rate === null ? Number.POSITIVE_INFINITY : Number(rate));
});
server.listen(Number(process.argv[2]), "127.0.0.1", () => {
  process.stdout.write(`${JSON.stringify({ event: "ready" })}\n`);
});
