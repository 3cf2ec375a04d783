// Many TCP connections at once, each with a content of its own that is checked to the byte; prints one JSON line.
//
//   node many-downloads.js <host:port> <connections> <bytes each>

import { createHash } from "node:crypto";
import { get } from "node:http";
import { contentSha256 } from "./content.ts";

const [local = "", connections = "0", bytesEach = "0"] = process.argv.slice(2);
const lengthBytes = Number(bytesEach);

function download(seed: string): Promise<string> {
  return new Promise((resolve) => {
    // Without an agent each request has a connection of its own, and all are opened at once.
    const request = get(`http://${local}/${lengthBytes}/${seed}`, { agent: false }, (response) => {
      const hash = createHash("sha256");
      response.on("data", (chunk: Buffer) => hash.update(chunk));
      response.on("end", () =>
        resolve(hash.digest("hex") === contentSha256(seed, lengthBytes) ? "whole" : "different"),
      );
      response.on("error", (error) => resolve(error.message));
    });
    request.on("error", (error) => resolve(error.message));
  });
}

const results = await Promise.all(Array.from({ length: Number(connections) }, (_, i) => download(`many-${i}`)));
const counts: Record<string, number> = {};
for (const result of results) counts[result] = (counts[result] ?? 0) + 1;
process.stdout.write(`${JSON.stringify({ event: "done", counts })}\n`);
