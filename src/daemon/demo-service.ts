// The HTTP service of the demo, and how the way to it is measured: time to first byte, round trip, throughput, all of
// them through TCP, as a user's program would see them.

import { Agent, createServer, get, type IncomingMessage, type Server } from "node:http";

export interface Measurement {
  /** From the connect of a new TCP connection to the first byte of the answer. */
  readonly firstByteMs: number;
  /** The median of small requests on one kept-alive connection. */
  readonly roundTripMs: number;
  readonly megabitsPerSecond: number;
}

/** More than a download gets in its time. */
const DOWNLOAD_BYTES = 4 * 1024 * 1024 * 1024;
/** A download is cut off after this: long enough for a congestion window to grow, short enough for who watches. */
const DOWNLOAD_MS = 1_200;
const ROUND_TRIPS = 25;
/** Whoever watches is told of a request over which nothing comes for so long, and does not wait for ever. */
const SILENCE_MS = 15_000;

/** @returns a server on a free port of 127.0.0.1. */
export function startDemoService(): Promise<Server> {
  const block = Buffer.alloc(64 * 1024, "tunnel ");
  const server = createServer((request, response) => {
    if (request.url !== "/download") {
      response.end("Hello through the tunnel.\n");
      return;
    }
    response.setHeader("content-length", DOWNLOAD_BYTES);
    let leftBytes = DOWNLOAD_BYTES;
    const more = (): void => {
      while (leftBytes > 0) {
        leftBytes -= block.length;
        if (!response.write(block)) return;
      }
      response.end();
    };
    response.on("drain", more);
    more();
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => resolve(server));
  });
}

/** @param base "http://127.0.0.1:3000". */
export async function measure(base: string): Promise<Measurement> {
  const firstByteMs = (await fetchOnce(`${base}/`, undefined)).firstByteMs;
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const roundTrips: number[] = [];
  for (let i = 0; i < ROUND_TRIPS; i++) roundTrips.push((await fetchOnce(`${base}/`, agent)).firstByteMs);
  agent.destroy();
  const download = await fetchOnce(`${base}/download`, undefined);
  return {
    firstByteMs,
    roundTripMs: roundTrips.sort((a, b) => a - b)[ROUND_TRIPS >> 1] as number,
    megabitsPerSecond: (download.bytes * 8) / 1000 / download.totalMs,
  };
}

interface Fetched {
  readonly firstByteMs: number;
  readonly totalMs: number;
  readonly bytes: number;
}

function fetchOnce(url: string, agent: Agent | undefined): Promise<Fetched> {
  const startMs = performance.now();
  return new Promise((resolve, reject) => {
    const onResponse = (response: IncomingMessage): void => {
      const firstByteMs = performance.now() - startMs;
      let bytes = 0;
      const finish = (): void => resolve({ firstByteMs, totalMs: performance.now() - startMs, bytes });
      response.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
        if (performance.now() - startMs < DOWNLOAD_MS) return;
        finish();
        response.destroy();
      });
      response.on("error", reject);
      response.on("end", finish);
    };
    const request = get(url, { agent: agent ?? false, timeout: SILENCE_MS }, onResponse);
    request.on("error", reject);
    request.on("timeout", () => request.destroy(new Error(`nothing came from ${url} for ${SILENCE_MS / 1000} s`)));
  });
}
