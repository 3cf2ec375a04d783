// A TCP forwarder over hyperdht, as small as it can be: each TCP connection is a connection of its own to the server's key, joined
// by pipe() both ways, which keeps backpressure. The package comes from the folder that is named. The roles, of which both sides
// name the relay where there is one:
//
// node hyperdht-forwarder.js <folder> <bootstrap host> <bootstrap port> bootstrap | relay | server <port> [<relay's key>]
//   | client <key> <port> [<relay's key>]

import { createRequire } from "node:module";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { type Duplex, pipeline } from "node:stream";

interface Node {
  fullyBootstrapped(): Promise<void>;
  createServer(options: object, listener: (stream: RelayedPeer) => void): { listen(keyPair: KeyPair): Promise<void> };
  createRawStream(options: object): unknown;
  connect(key: Buffer, options: object): Duplex;
}
interface KeyPair {
  readonly publicKey: Buffer;
}
/** What a connection to the relay is to the relay. */
interface RelayedPeer extends Duplex {
  readonly remotePublicKey: Buffer;
}
interface BlindRelay {
  readonly Server: new (options: {
    createStream: (options: object) => unknown;
  }) => { accept(peer: RelayedPeer, options: { id: Buffer }): Duplex };
}
interface Hyperdht {
  new (options: object): Node;
  keyPair(): KeyPair;
}

/** Enough to be asked what a NAT does: hyperdht wants four answers, and passes over the five freshest nodes. */
const BOOTSTRAP_NODES = 12;

const [folder = ".", bootstrapHost = "", bootstrapPort = "0", role, ...rest] = process.argv.slice(2);
const require = createRequire(join(folder, "forwarder.js"));

// hyperdht never dials addresses that are reserved, and the lab's are those reserved for documentation.
const bogon = require("bogon") as { isBogon: () => boolean; isReserved: () => boolean };
bogon.isBogon = () => false;
bogon.isReserved = () => false;

const Dht = require("hyperdht") as Hyperdht;
const bootstrap = [{ host: bootstrapHost, port: Number(bootstrapPort) }];
/** What a node on a public address is told. */
const open = { ephemeral: false, firewalled: false, host: "0.0.0.0" };
const through = (key: string | undefined): object =>
  key === undefined ? {} : { relayThrough: Buffer.from(key, "hex") };
const ready = (fields = {}): void => console.log(JSON.stringify({ event: "ready", ...fields }));

/** Joins both ways; whatever ends one side ends the other. */
function join2(a: Duplex, b: Duplex): void {
  pipeline(a, b, a, () => {});
}

if (role === "bootstrap") {
  for (let index = 0; index < BOOTSTRAP_NODES; index++) {
    const place = index === 0 ? { bootstrap: [], port: Number(bootstrapPort) } : { bootstrap };
    await new Dht({ ...open, ...place }).fullyBootstrapped();
  }
  ready();
} else if (role === "relay") {
  const keyPair = Dht.keyPair();
  const dht = new Dht({ bootstrap, ...open });
  await dht.fullyBootstrapped();
  const { Server } = require("blind-relay") as BlindRelay;
  const relay = new Server({ createStream: (options) => dht.createRawStream({ ...options, framed: true }) });
  const server = dht.createServer({}, (peer) => {
    peer.on("error", () => {});
    relay.accept(peer, { id: peer.remotePublicKey }).on("error", () => {});
  });
  await server.listen(keyPair);
  ready({ key: keyPair.publicKey.toString("hex") });
} else if (role === "server") {
  const keyPair = Dht.keyPair();
  const server = new Dht({ bootstrap }).createServer(through(rest[1]), (stream) => {
    join2(stream, connect({ host: "127.0.0.1", port: Number(rest[0]), noDelay: true }));
  });
  await server.listen(keyPair);
  ready({ key: keyPair.publicKey.toString("hex") });
} else {
  const dht = new Dht({ bootstrap });
  await dht.fullyBootstrapped();
  const key = Buffer.from(rest[0] ?? "", "hex");
  const listener = createServer({ noDelay: true }, (socket) => {
    join2(socket, dht.connect(key, { reusableSocket: true, ...through(rest[2]) }));
  });
  listener.listen({ host: "127.0.0.1", port: Number(rest[1]), backlog: 4096 }, () => ready());
}
