// A TCP server that says nothing until the client has said everything: it reads to the end, then answers with a hash of
// what came and a long content. A tunnel that closes both ways at the first end loses the whole answer.
//
//   node answer-at-end.js <port> <bytes of the answer>

import { createHash } from "node:crypto";
import { createServer } from "node:net";
import { Content } from "./content.ts";

const [port, answerBytes] = process.argv.slice(2).map(Number) as [number, number];

const server = createServer({ allowHalfOpen: true }, (socket) => {
  const hash = createHash("sha256");
  socket.on("data", (chunk) => hash.update(chunk));
  socket.on("end", () => {
    socket.write(`${hash.digest("hex")}\n`);
    socket.end(new Content("answer").next(answerBytes));
  });
  socket.on("error", () => socket.destroy());
});
server.listen(port, "127.0.0.1", () => {
  process.stdout.write(`${JSON.stringify({ event: "ready" })}\n`);
});
