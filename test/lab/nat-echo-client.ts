// The near end of the NAT observation: runs in a host behind a NAT, asks the echo server, and prints what it saw as one
// JSON line. A test that expects silence waits for SILENCE_MS; one that expects an answer asks again before it gives up.

import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import type { EchoReply, EchoRequest } from "./nat-echo-server.ts";
import type { Dependence, NatObservation } from "./nat-observation.ts";

/** On veth pairs an answer takes less than 1 ms; a busy machine gets the rest. */
const SILENCE_MS = 250;
const ATTEMPTS = 4;

interface Endpoint {
  readonly address: string;
  readonly port: number;
}

const [addresses = "", ports = ""] = process.argv.slice(2);
const [first, second] = addresses.split(",") as [string, string];
const [portOne, portTwo] = ports.split(",").map(Number) as [number, number];
const home: Endpoint = { address: first, port: portOne };
const otherPort: Endpoint = { address: first, port: portTwo };
const otherAddress: Endpoint = { address: second, port: portOne };

let nextId = 1;

async function open(): Promise<Socket> {
  const socket = createSocket(first.includes(":") ? "udp6" : "udp4");
  socket.bind(0);
  await once(socket, "listening");
  return socket;
}

/** Sends one request. @returns what the answer says was observed, or undefined after SILENCE_MS. */
async function ask(socket: Socket, to: Endpoint, extra: Omit<EchoRequest, "id"> = {}): Promise<Endpoint | undefined> {
  const id = nextId++;
  const timeUp = new AbortController();
  const answer = new Promise<Endpoint>((resolve) => {
    const listener = (message: Buffer): void => {
      const reply = JSON.parse(message.toString()) as EchoReply;
      if (reply.id !== id) return;
      socket.off("message", listener);
      resolve(reply.observed);
    };
    socket.on("message", listener);
  });
  socket.send(JSON.stringify({ id, ...extra }), to.port, to.address);
  const silence = sleep(SILENCE_MS, undefined, { signal: timeUp.signal }).catch(() => undefined);
  const result = await Promise.race([answer, silence]);
  timeUp.abort();
  return result;
}

/** As ask, again and again. */
async function askPatiently(socket: Socket, to: Endpoint): Promise<Endpoint | undefined> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const observed = await ask(socket, to);
    if (observed !== undefined) return observed;
  }
  return undefined;
}

const same = (a: Endpoint, b: Endpoint): boolean => a.address === b.address && a.port === b.port;

async function mappingOf(): Promise<{ mapping: Dependence; observed: Endpoint; portsPreserved: boolean } | undefined> {
  const socket = await open();
  const seen: Endpoint[] = [];
  for (const to of [home, otherPort, otherAddress]) {
    const observed = await askPatiently(socket, to);
    if (observed === undefined) return undefined;
    seen.push(observed);
  }
  const [atHome, atOtherPort, atOtherAddress] = seen as [Endpoint, Endpoint, Endpoint];
  const portsPreserved = seen.every((endpoint) => endpoint.port === socket.address().port);
  socket.close();
  if (!same(atHome, atOtherPort)) return { mapping: "address-and-port", observed: atHome, portsPreserved };
  return { mapping: same(atHome, atOtherAddress) ? "endpoint" : "address", observed: atHome, portsPreserved };
}

/** A socket that has written to one address and port only, and what else may write to it. */
async function filteringOf(): Promise<Dependence> {
  const socket = await open();
  await askPatiently(socket, home);
  const [fromPort, fromAddress] = await Promise.all([
    ask(socket, home, { answerFrom: otherPort }),
    ask(socket, home, { answerFrom: otherAddress }),
  ]);
  socket.close();
  if (fromAddress !== undefined) return "endpoint";
  return fromPort === undefined ? "address-and-port" : "address";
}

/** Whether a probe that comes before the host has sent anything leaves alone the mapping that its sender is about to meet. */
async function survivesEarlyProbe(outside: string): Promise<boolean> {
  const [messenger, fresh] = await Promise.all([open(), open()]);
  // Nothing has been sent from this port yet; wherever ports are preserved it has the same number outside.
  const early = { address: outside, port: fresh.address().port };
  await ask(messenger, home, { answerFrom: otherAddress, answerTo: early });
  const observed = await askPatiently(fresh, otherAddress);
  messenger.close();
  fresh.close();
  return observed !== undefined && same(observed, early);
}

async function observe(): Promise<NatObservation> {
  const mapped = await mappingOf();
  if (mapped === undefined) return { udp: false };
  const [filtering, survives] = await Promise.all([filteringOf(), survivesEarlyProbe(mapped.observed.address)]);
  const { mapping, observed, portsPreserved } = mapped;
  return { udp: true, address: observed.address, mapping, filtering, portsPreserved, survivesEarlyProbe: survives };
}

process.stdout.write(`${JSON.stringify({ event: "observed", ...(await observe()) })}\n`);
process.exit(0);
