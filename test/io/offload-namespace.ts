// Runs in a network namespace of its own, made by the test beside it, whose loopback has a small MTU and takes packets slowly. Writes what happened to stdout as one JSON object.

import { execFileSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { type SocketAddress, socketAddress } from "../../src/base/address.ts";
import { silentLog } from "../../src/base/log.ts";
import { RouteTable } from "../../src/base/route.ts";
import { Transmit } from "../../src/base/transmit.ts";
import type { DatagramSocket } from "../../src/io/datagram-socket.ts";
import { openOffloadSocket } from "../../src/io/offload-socket.ts";
import { openUdpSocket } from "../../src/io/udp-socket.ts";
import { requireOwnNamespace } from "./own-namespace.ts";

const PACKET_BYTES = 500;
/** More than two calls take, so that most of the batches that find no room have left in part. */
const BATCH_PACKETS = 130;
const BATCHES = 170;

const ip = (command: string) => execFileSync("ip", command.split(" "));
const routes = new RouteTable();

export interface FullBufferResult {
  readonly sentPackets: number;
  readonly receivedPackets: number;
  /** Packets that came and that this process, kept waiting by a busy machine, was too late to read. */
  readonly unreadPackets: number;
  readonly inOrder: boolean;
  /** How often the kernel had no room. */
  readonly waits: number;
  readonly sendErrors: number;
  /** Calls of the receiving handler. */
  readonly messages: number;
}

/** What the kernel of this namespace threw away because a receiving socket was full. */
function unreadPackets(): number {
  const [names, values] = readFileSync("/proc/net/snmp", "utf8")
    .split("\n")
    .filter((line) => line.startsWith("Udp:"))
    .map((line) => line.split(" "));
  return Number(values?.[names?.indexOf("RcvbufErrors") ?? -1]);
}

/** Sends more than the socket's buffer and the queue of the device hold, as the driver does. */
async function fillBuffer(offload: boolean): Promise<FullBufferResult> {
  const receiver = await openUdpSocket({ host: "127.0.0.1", log: silentLog, offload });
  const sender = await openUdpSocket({ host: "127.0.0.1", log: silentLog, offload });
  let next = 0;
  let received = 0;
  const unreadBefore = unreadPackets();
  let inOrder = true;
  let messages = 0;
  receiver.start({
    onDatagram(_from, bytes) {
      messages++;
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
      for (let at = 0; at < bytes.length; at += PACKET_BYTES) {
        const number = view.getUint32(at);
        if (number < next || view.getUint32(at + PACKET_BYTES - 4) !== number) inOrder = false;
        next = number + 1;
        received++;
      }
    },
    onAllRead() {},
    onReady() {},
  });
  const to = routes.direct(socketAddress("127.0.0.1", receiver.localPort) as SocketAddress);
  let batches = 0;
  let waits = 0;
  const sendOn = (): void => {
    while (batches < BATCHES && sender.ready) fillAndSend(sender, batches++);
    if (!sender.ready) waits++;
  };
  function fillAndSend({ transmit }: DatagramSocket, batch: number): void {
    transmit.begin(to);
    transmit.buffer.fill(0);
    const view = new DataView(transmit.buffer.buffer);
    for (let i = 0; i < BATCH_PACKETS; i++) {
      view.setUint32(i * PACKET_BYTES, batch * BATCH_PACKETS + i);
      view.setUint32((i + 1) * PACKET_BYTES - 4, batch * BATCH_PACKETS + i);
    }
    transmit.lengthBytes = BATCH_PACKETS * PACKET_BYTES;
    transmit.segmentBytes = PACKET_BYTES;
    sender.send();
  }
  sender.start({ onDatagram() {}, onAllRead() {}, onReady: sendOn });
  sendOn();
  for (let i = 0; i < 1_000 && received + unreadPackets() - unreadBefore < BATCHES * BATCH_PACKETS; i++)
    await sleep(10);
  const { sendErrors } = sender.counters;
  sender.close();
  receiver.close();
  const unread = unreadPackets() - unreadBefore;
  const sentPackets = batches * BATCH_PACKETS;
  return { sentPackets, receivedPackets: received, unreadPackets: unread, inOrder, waits, sendErrors, messages };
}

export interface SmallMtuResult {
  readonly neverFragments: boolean;
  /** After a packet, and then a batch of two, beyond the MTU. */
  readonly sendErrors: number;
  readonly sentDatagrams: number;
  /** Whether batches are joined still. */
  readonly sendsWholeBatches: boolean;
}

/** Sends to both families through an interface that takes 1400 bytes. */
function sendBeyondMtu(): SmallMtuResult | undefined {
  const place = { host: "::", port: 0, log: silentLog };
  const offloaded = openOffloadSocket(place, () => createSocket({ type: "udp6" }));
  if (offloaded === undefined) return undefined;
  const counters = { sentDatagrams: 0, receivedDatagrams: 0, sendErrors: 0, receiveErrors: 0 };
  const sender = offloaded.createSender(counters);
  const transmit = new Transmit();
  for (const [lengthBytes, segmentBytes] of [
    [1_500, 1_500],
    [3_000, 1_500],
    [2_000, 1_000],
  ] as const) {
    for (const host of ["127.0.0.1", "::1"]) {
      transmit.begin(routes.direct(socketAddress(host, 9) as SocketAddress));
      transmit.lengthBytes = lengthBytes;
      transmit.segmentBytes = segmentBytes;
      sender.send(transmit);
    }
  }
  offloaded.socket.close();
  const { sendErrors, sentDatagrams } = counters;
  const { neverFragments } = offloaded;
  return { neverFragments, sendErrors, sentDatagrams, sendsWholeBatches: sender.sendsWholeBatches };
}

requireOwnNamespace();
ip("link set lo mtu 1400 up");
const smallMtu = sendBeyondMtu();
execFileSync("tc", "qdisc add dev lo root tbf rate 60mbit burst 256kb limit 64mb".split(" "));
const fullBuffer = [await fillBuffer(false), await fillBuffer(true)];
process.stdout.write(JSON.stringify({ fullBuffer, smallMtu }));
