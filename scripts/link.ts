// A link with weather, between two network namespaces: delay, jitter, loss, reordering, duplication, a rate with a queue, an MTU, each way
// on its own and changed while it runs. The kernel has a device for that, netem, but not every kernel is built with it.
//
//   node dist/scripts/link.js <end> <end>
//
// An end is a JSON object: {"namespace":"/run/netns/a","device":"link0","address":"10.0.0.1","prefixBits":30,"mtuBytes":1500}. The devices
// are TUN devices, made by this program and gone with it; routes into them are the caller's. Orders come as lines of JSON on standard
// input (link/link-settings.ts says which), answers leave on standard output, and the end of the input ends the program:
//
//   {"order":"change","way":"there","settings":{"delayMs":20,"lossProbability":0.01}}
//   {"order":"report"}
//   {"order":"forget"}      as report, and counts anew

import { writeSync } from "node:fs";
import { constants, setPriority } from "node:os";
import { TunDevice, type TunSettings } from "../src/io/tun-device.ts";
import { loadTunLibc, type TunLibc } from "../src/io/tun-libc.ts";
import { enterNetworkNamespace } from "./link/network-namespace.ts";
import { type LinkEvent, TunLink } from "./link/tun-link.ts";

interface LinkEnd extends TunSettings {
  readonly namespace: string;
  readonly device: string;
}

const STDOUT = 1;
const SCHED_FIFO = 1;
const REAL_TIME_PRIORITY = 10;

function tell(event: LinkEvent): void {
  writeSync(STDOUT, `${JSON.stringify(event)}\n`);
}

function openEnd(libc: TunLibc, end: LinkEnd): TunDevice {
  enterNetworkNamespace(libc, end.namespace);
  const device = TunDevice.open(libc, end.device);
  device.configure(end);
  return device;
}

/**
 * A link that waits for its turn behind other programs is a worse one than it was told to be. At an ordinary priority, be it the highest,
 * the kernel may let another program run to its next tick, 4 ms later.
 */
function claimPriority(libc: TunLibc): void {
  const parameter = new Uint8Array(new Int32Array([REAL_TIME_PRIORITY]).buffer);
  if (libc.schedSetscheduler(SCHED_FIFO, parameter) === 0) return;
  try {
    setPriority(constants.priority.PRIORITY_HIGHEST);
  } catch (error) {
    // Whoever is not root of the whole machine has to do without; `late` in the report says what it costs.
    tell({ event: "note", message: (error as Error).message });
  }
}

const libc = loadTunLibc();
if (libc === undefined) throw new Error("a link needs koffi, and a machine whose system calls it knows");
const [first, second] = process.argv.slice(2).map((text) => JSON.parse(text) as LinkEnd);
if (first === undefined || second === undefined) throw new Error("usage: link.js <end> <end>, each a JSON object");
claimPriority(libc);
const link = new TunLink(libc, [openEnd(libc, first), openEnd(libc, second)], tell);
tell({ event: "ready" });
link.run();
