// The service behind every contender: one TCP port that does what the first line of a connection asks for. It is the same
// program for all of them, so that what it costs cancels out.
//
//   down    sends zeros until the other side goes
//   up      counts what comes, and writes the sum so far as a line every 20 ms
//   echo    sends back what comes
//   answer  sends 1 kB and ends
//
// node load-server.js <port> [host]

import { createServer, type Socket } from "node:net";

const CHUNK_BYTES = 65_536;
const ANSWER_BYTES = 1000;
const REPORT_EVERY_MS = 20;
const COMMAND_BYTES_MAX = 64;
/** No load lasts longer; what is still there then has been forgotten by its client. */
const CONNECTION_LIFE_MAX_MS = 60_000;

const zeros = Buffer.alloc(CHUNK_BYTES);
const answer = Buffer.alloc(ANSWER_BYTES, "a");

function sendForever(socket: Socket): void {
  const fill = (): void => {
    while (!socket.destroyed && socket.write(zeros)) {}
  };
  socket.on("drain", fill);
  socket.resume();
  fill();
}

function count(socket: Socket, surplus: Buffer): void {
  let bytes = surplus.length;
  const timer = setInterval(() => socket.write(`${bytes}\n`), REPORT_EVERY_MS);
  socket.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
  });
  socket.on("end", () => socket.end());
  socket.on("close", () => clearInterval(timer));
}

function obey(socket: Socket, command: string, surplus: Buffer): void {
  if (command === "down") sendForever(socket);
  else if (command === "up") count(socket, surplus);
  else if (command === "answer") socket.end(answer);
  else if (command === "echo") {
    if (surplus.length > 0) socket.write(surplus);
    socket.pipe(socket);
  } else socket.destroy();
}

const server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
  let head = Buffer.alloc(0);
  const listen = (chunk: Buffer): void => {
    head = Buffer.concat([head, chunk]);
    const end = head.indexOf(10);
    if (end < 0 && head.length <= COMMAND_BYTES_MAX) return;
    socket.off("data", listen);
    obey(socket, end < 0 ? "" : head.toString("latin1", 0, end), head.subarray(end + 1));
  };
  socket.on("data", listen);
  socket.on("error", () => socket.destroy());
  socket.setTimeout(CONNECTION_LIFE_MAX_MS, () => socket.destroy());
});

const [port = "0", host = "0.0.0.0"] = process.argv.slice(2);
server.listen({ port: Number(port), host, backlog: 4096 }, () => console.log(JSON.stringify({ event: "ready" })));
