// Opens many connections and sends a megabyte on each, which nobody takes; then asks for one byte back on another one.
//
// node many-uploads.js <host:port> <connections> <milliseconds to wait before the question>

import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

const UPLOAD = Buffer.alloc(1_000_000, "u");
const LANES = 16;
const [place = "", countText = "0", waitText = "0"] = process.argv.slice(2);
const [host, port] = place.split(":");
const held: Socket[] = [];

function open(): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: host as string, port: Number(port) });
    socket.once("error", reject);
    socket.once("connect", () => resolve(socket));
  });
}

let started = 0;
async function lane(): Promise<void> {
  while (started < Number(countText)) {
    started++;
    const socket = await open();
    held.push(socket);
    socket.write(UPLOAD);
  }
}
await Promise.all(Array.from({ length: LANES }, lane));
console.log(JSON.stringify({ event: "open", connections: held.length }));
await sleep(Number(waitText));
const startMs = performance.now();
const question = await open();
question.write("?");
question.once("data", () => {
  console.log(JSON.stringify({ event: "answer", afterMs: performance.now() - startMs }));
});
