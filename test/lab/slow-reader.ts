// A TCP client that asks for much, reads a little, stops, and reads on: it checks what came and prints one JSON line when
// it stops and one at the end.
//
//   node slow-reader.js <host:port> <bytes> <ms of the pause>

import { createHash } from "node:crypto";
import { get } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

const [local, length, pause] = process.argv.slice(2) as [string, string, string];
const PAUSE_AFTER_BYTES = 20_000_000;

get(`http://${local}/${length}/slow`, { agent: false }, async (response) => {
  const hash = createHash("sha256");
  let bytes = 0;
  let hasPaused = false;
  for await (const chunk of response) {
    hash.update(chunk as Buffer);
    bytes += (chunk as Buffer).length;
    if (!hasPaused && bytes >= PAUSE_AFTER_BYTES) {
      hasPaused = true;
      process.stdout.write(`${JSON.stringify({ event: "paused", bytes })}\n`);
      await sleep(Number(pause));
    }
  }
  process.stdout.write(`${JSON.stringify({ event: "done", bytes, sha256: hash.digest("hex") })}\n`);
});
