// Runs in a network namespace of its own, made by the test beside it, whose kernel marks packets for ECN when it is told to. Writes
// what happened to stdout as one JSON object.

import { execFileSync } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { type SocketAddress, socketAddress } from "../../src/base/address.ts";
import { type Ecn, ecn } from "../../src/base/ecn.ts";
import { silentLog } from "../../src/base/log.ts";
import { RouteTable } from "../../src/base/route.ts";
import type { DatagramSocket } from "../../src/io/datagram-socket.ts";
import { Driver, type EventfulMachine } from "../../src/io/driver.ts";
import { monotonicNowMs } from "../../src/io/monotonic-clock.ts";
import { systemRandom } from "../../src/io/system-random.ts";
import { openUdpSocket } from "../../src/io/udp-socket.ts";
import type { EcnState } from "../../src/transport/ecn-validation.ts";
import { packetLength } from "../../src/wire/datagram.ts";
import { BulkReceiver, BulkSender } from "../sim/bulk-flow.ts";
import { plainCubic } from "../sim/plain-cubic.ts";
import { requireOwnNamespace } from "./own-namespace.ts";

const PACKET_BYTES = 100;
const codepoints: readonly Ecn[] = [ecn.ect0, ecn.notEct, ecn.ect1, ecn.ce, ecn.ect0];

const routes = new RouteTable();
const addressOf = (host: string, socket: DatagramSocket): SocketAddress =>
  socketAddress(host, socket.localPort) as SocketAddress;

/** Has the kernel mark one in so many packets that leave with ECT(0). */
function markOneIn(packets: number): void {
  const rule = `ip ecn ect0 numgen inc mod ${packets} 0 ip ecn set ce`;
  execFileSync("nft", [`table inet marking { chain out { type filter hook output priority mangle; ${rule}; }; }`]);
}

const stopMarking = (): void => void execFileSync("nft", ["delete table inet marking"]);

function send({ transmit }: DatagramSocket, to: SocketAddress, codepoint: Ecn, packets: number): void {
  transmit.begin(routes.direct(to));
  transmit.buffer.fill(codepoint, 0, packets * PACKET_BYTES);
  transmit.lengthBytes = packets * PACKET_BYTES;
  transmit.segmentBytes = PACKET_BYTES;
  transmit.ecn = codepoint;
}

export interface ToldCodepoints {
  readonly from: string;
  readonly to: string;
  /** Of each message: what it was sent with, which its bytes tell, and what the socket told. */
  readonly told: readonly (readonly [number, number | undefined])[];
}

/** Sends packets and joined batches of every codepoint. */
async function tellCodepoints(from: string, to: string): Promise<ToldCodepoints> {
  const receiver = await openUdpSocket({ host: to.includes(":") ? "::" : from, log: silentLog });
  const sender = await openUdpSocket({ host: from, log: silentLog });
  const told: [number, number | undefined][] = [];
  receiver.start({
    onDatagram: (_from, bytes, codepoint) => void told.push([bytes[0] as number, codepoint]),
    onAllRead() {},
    onReady() {},
  });
  sender.start({ onDatagram() {}, onAllRead() {}, onReady() {} });
  const address = addressOf(to, receiver);
  // The first message of all may be dgram's to read, which cannot tell.
  send(sender, address, ecn.notEct, 1);
  sender.send();
  for (let i = 0; i < 100 && told.length < 1; i++) await sleep(10);
  for (const packets of [1, 3]) {
    for (const codepoint of codepoints) {
      send(sender, address, codepoint, packets);
      sender.send();
    }
  }
  for (let i = 0; i < 200 && told.length < 1 + 2 * codepoints.length; i++) await sleep(10);
  sender.close();
  receiver.close();
  return { from, to, told: told.slice(1) };
}

export interface MarkedTransfer {
  readonly before: { readonly state: EcnState | undefined; readonly windowBytes: number };
  readonly marked: { readonly state: EcnState | undefined; readonly windowBytes: number; readonly lostPackets: number };
  readonly bytesWhileMarked: number;
}

/** A transfer of which the kernel begins to mark packets: what becomes of the sender's window. */
async function transferMarked(offload: boolean): Promise<MarkedTransfer> {
  const [here, there] = [await openUdpSocket({ log: silentLog, offload }), await openUdpSocket({ log: silentLog })];
  const sender = new BulkSender();
  const receiver = new BulkReceiver(systemRandom);
  const to = addressOf("127.0.0.1", there);
  // The sender knows the flow by the very object that is its address.
  const drivers = [driverOf(sender, here, () => to), driverOf(receiver, there, (from) => from)];
  for (const driver of drivers) driver.start();
  const flow = sender.start(monotonicNowMs(), systemRandom, plainCubic, receiver, to);
  drivers[0]?.wake();
  await sleep(1_000);
  const path = () => flow.connection.paths.active;
  const before = { state: path()?.ecn.state, windowBytes: path()?.windowBytes ?? 0 };
  const lostBefore = path()?.lostPackets ?? 0;
  const bytesBefore = receiver.receivedBytes;
  markOneIn(4);
  await sleep(700);
  const lostPackets = (path()?.lostPackets ?? 0) - lostBefore;
  const marked = { state: path()?.ecn.state, windowBytes: path()?.windowBytes ?? 0, lostPackets };
  const bytesWhileMarked = receiver.receivedBytes - bytesBefore;
  stopMarking();
  for (const driver of drivers) driver.stop();
  here.close();
  there.close();
  return { before, marked, bytesWhileMarked };
}

/** The bulk machines have no events of their own, and take one packet at a time: what there is to do is done when they are asked for an event. */
function driverOf(
  bulk: BulkSender | BulkReceiver,
  socket: DatagramSocket,
  knownAs: (from: SocketAddress) => SocketAddress,
): Driver<never> {
  const machine: EventfulMachine<never> = {
    handleDatagram(nowMs, from, bytes, carrier, codepoint) {
      for (let at = 0; at < bytes.length; ) {
        const end = at + packetLength(bytes, at, bytes.length);
        if (end === at) return;
        bulk.handleDatagram(nowMs, knownAs(from), bytes.subarray(at, end), carrier, codepoint);
        at = end;
      }
    },
    handleTimeout: (nowMs) => bulk.handleTimeout(nowMs),
    pollTimeout: () => bulk.pollTimeout(),
    pollTransmit: (nowMs, out) => bulk.pollTransmit(nowMs, out),
    pollEvent() {
      bulk.pump(monotonicNowMs());
      return undefined;
    },
  };
  return new Driver({
    machine,
    socket,
    onEvent() {},
    onFault(error) {
      throw error;
    },
  });
}

requireOwnNamespace();
execFileSync("ip", ["link", "set", "lo", "up"]);
const told = [
  await tellCodepoints("0.0.0.0", "127.0.0.1"),
  await tellCodepoints("::", "127.0.0.1"),
  await tellCodepoints("::", "::1"),
];
const transfers = [await transferMarked(true), await transferMarked(false)];
process.stdout.write(JSON.stringify({ told, transfers }));
process.exit(0);
