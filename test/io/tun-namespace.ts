// Runs in a network namespace of its own, made by the test beside it: a TUN device, packets through it in both directions, and its
// end. Writes what happened to stdout as one JSON object.

import { execFileSync } from "node:child_process";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { existsSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { TunDevice } from "../../src/io/tun-device.ts";
import { loadTunLibc, type TunLibc } from "../../src/io/tun-libc.ts";
import { requireOwnNamespace } from "./own-namespace.ts";

const HERE = "10.9.0.1";
const THERE = "10.9.0.2";
const MTU_BYTES = 1400;
const IPV4 = 4;
const NO_IPV6 = "/proc/sys/net/ipv6/conf/all/disable_ipv6";

export interface TunResult {
  /** "mtu 1400, 10.9.0.1/24, UP": as `ip` sees it. */
  readonly seenByIp: string | undefined;
  /** What read says when no packet waits. */
  readonly idleRead: number;
  /** UDP payloads that the kernel sent into the device, in order. */
  readonly readPayloads: readonly string[];
  /** UDP payloads that came back to the socket after their packets had been turned round and written. */
  readonly echoedPayloads: readonly string[];
  /** Lengths of the packets that came of a datagram that is a byte longer than fits into one. */
  readonly fragmentBytes: readonly number[];
  /** The code of opening a second device of that name. */
  readonly secondOpen: string;
  readonly isThereAfterClose: boolean;
}

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? String(error);

/** A device as `ip -j` shows it. */
interface ShownDevice {
  readonly ifname: string;
  readonly mtu: number;
  readonly flags: readonly string[];
  readonly addr_info: readonly { readonly family: string; readonly local: string; readonly prefixlen: number }[];
}

const devices = (): ShownDevice[] =>
  JSON.parse(execFileSync("ip", ["-j", "address"], { encoding: "utf8" })) as ShownDevice[];

function seenByIp(name: string): string | undefined {
  return devices()
    .filter(({ ifname }) => ifname === name)
    .map(({ mtu, flags, addr_info }) => {
      const address = addr_info.find(({ family }) => family === "inet");
      return `mtu ${mtu}, ${address?.local}/${address?.prefixlen}, ${flags.includes("UP") ? "UP" : "down"}`;
    })[0];
}

/** Waits for the next UDP packet over IPv4; the kernel says other things to a new device as well. */
async function readUdp(device: TunDevice): Promise<Buffer> {
  const buffer = Buffer.alloc(2000);
  for (;;) {
    const lengthBytes = device.read(buffer);
    if (lengthBytes === 0) await sleep(1);
    else if ((buffer[0] as number) >> 4 === IPV4 && buffer[9] === 17)
      return Buffer.from(buffer.subarray(0, lengthBytes));
  }
}

/** Swaps source and destination; the checksums, which are sums, stay right. */
function turnRound(packet: Buffer): Buffer {
  const turned = Buffer.from(packet);
  packet.copy(turned, 12, 16, 20);
  packet.copy(turned, 16, 12, 16);
  packet.copy(turned, 20, 22, 24);
  packet.copy(turned, 22, 20, 22);
  return turned;
}

const send = (socket: Socket, payload: string): Promise<unknown> =>
  new Promise((resolve) => socket.send(payload, 9, THERE, resolve));

function openCode(libc: TunLibc, name: string): string {
  try {
    TunDevice.open(libc, name).close();
    return "";
  } catch (error) {
    return codeOf(error);
  }
}

async function run(libc: TunLibc): Promise<TunResult> {
  // With IPv6 the kernel would speak to the new device of its own accord.
  if (existsSync(NO_IPV6)) writeFileSync(NO_IPV6, "1");
  const device = TunDevice.open(libc, "probe0");
  device.configure({ address: HERE, prefixBits: 24, mtuBytes: MTU_BYTES });
  const buffer = Buffer.alloc(2000);
  while (device.read(buffer) > 0);
  const idleRead = device.read(buffer);
  const socket = createSocket("udp4");
  socket.bind(0, HERE);
  await once(socket, "listening");
  const echoedPayloads: string[] = [];
  socket.on("message", (message) => echoedPayloads.push(message.toString()));
  const readPayloads: string[] = [];
  const payloads = ["first", "second", "x".repeat(MTU_BYTES - 28)];
  for (const payload of payloads) {
    await send(socket, payload);
    const packet = await readUdp(device);
    readPayloads.push(packet.subarray(28).toString());
    device.write(turnRound(packet));
  }
  while (echoedPayloads.length < payloads.length) await sleep(1);
  await send(socket, "x".repeat(MTU_BYTES - 27));
  const fragmentBytes = [(await readUdp(device)).length, (await readUdp(device)).length];
  socket.close();
  const secondOpen = openCode(libc, device.name);
  const result = { seenByIp: seenByIp(device.name), idleRead, readPayloads, echoedPayloads, fragmentBytes, secondOpen };
  device.close();
  return { ...result, isThereAfterClose: devices().some(({ ifname }) => ifname === device.name) };
}

requireOwnNamespace();
const libc = loadTunLibc();
if (libc === undefined) throw new Error("koffi is not here, or the machine is not known");
process.stdout.write(JSON.stringify(await run(libc)));
