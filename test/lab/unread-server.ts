// A service that takes the first so many connections and never reads from them; those that come later are sent back what they send.
//
// node unread-server.js <port> <connections that are not read>

import { createServer, type Socket } from "node:net";

const [port = "0", unreadText = "0"] = process.argv.slice(2);
const held: Socket[] = [];
const server = createServer({ pauseOnConnect: true }, (socket) => {
  socket.on("error", () => socket.destroy());
  if (held.length < Number(unreadText)) {
    held.push(socket);
    return;
  }
  socket.pipe(socket);
  socket.resume();
});
server.listen({ port: Number(port), backlog: 4096 }, () => console.log(JSON.stringify({ event: "ready" })));
