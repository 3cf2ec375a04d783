// Flows over one slow link, and what becomes of them: how much of the link they use, how long packets wait in its queue, how the
// flows share, how many packets a megabyte takes.

import type { CongestionControllerFactory } from "../../src/transport/congestion-controller.ts";
import type { EcnState } from "../../src/transport/ecn-validation.ts";
import { BulkReceiver, BulkSender } from "./bulk-flow.ts";
import type { Host } from "./host.ts";
import type { LinkSettings } from "./link.ts";
import { SeededRandom } from "./seeded-random.ts";
import { World } from "./world.ts";

export interface BottleneckSettings {
  readonly rateMbps: number;
  /** Round trip without any queue. */
  readonly rttMs: number;
  readonly lossProbability: number;
  /** The queue in bandwidth-delay products. */
  readonly bufferBdp: number;
  /** One controller a flow; each starts `staggerMs` after the one before. */
  readonly flows: readonly CongestionControllerFactory[];
  readonly staggerMs?: number;
  /** Measured from `warmUpMs` after the last flow's start on, for `durationMs`. */
  readonly warmUpMs: number;
  readonly durationMs: number;
  /** A key is pressed beside the first flow this often. */
  readonly keystrokeMs?: number;
  /** Each program stands still for up to so long, every other millisecond or so, as on a machine that has other things to do; never unless told. */
  readonly pauseMs?: number;
  /** What else the slow link does. */
  readonly link?: Partial<LinkSettings>;
  /** What becomes of the slow link, so long after the last flow's start. */
  readonly change?: { readonly afterMs: number; readonly link: Partial<LinkSettings> };
  readonly seed?: number;
}

export interface BottleneckFigures {
  /** Of each flow: what arrived in order, in Mbit/s of stream data. */
  readonly mbps: readonly number[];
  /** Their sum as a share of the link's rate; headers are not counted, so 1 is out of reach. */
  readonly utilisation: number;
  /** Jain's index: 1 for equal shares, 1/n where one flow has it all. */
  readonly fairness: number;
  /** What a packet that comes to the link's queue has to wait, mean and 95th percentile, in ms. */
  readonly queueMs: number;
  readonly queue95Ms: number;
  /** Share of the packets offered to the link that it lost, by chance and by a full queue. */
  readonly lost: number;
  /** Share of them that it marked as having met congestion. */
  readonly marked: number;
  /** What each flow has found out about ECN. */
  readonly ecn: readonly (EcnState | undefined)[];
  /** Packets that a megabyte took, of data and of acknowledgements. */
  readonly dataPackets: number;
  readonly ackPackets: number;
  readonly keystrokesMs: readonly number[];
}

/** A queue never holds less than this: routers do not come with less. */
const QUEUE_BYTES_MIN = 3 * 1500;
const SAMPLE_MS = 2;
/** From the end of a pause to the next one, in the mean. */
const PAUSES_APART_MS = 1;

export function runBottleneck(settings: BottleneckSettings): BottleneckFigures {
  const {
    rateMbps,
    rttMs,
    lossProbability,
    bufferBdp,
    flows,
    staggerMs = 0,
    warmUpMs,
    durationMs,
    seed = 1,
  } = settings;
  const world = new World({ seed, timerLatenessMs: 1, traceRecords: 16 });
  const random = new SeededRandom(seed).fork("flows");
  const queueBytes = Math.max(bufferBdp * rateMbps * 125 * rttMs, QUEUE_BYTES_MIN);
  const sender = new BulkSender();
  const host = world.addHost("sender", {
    ip: "198.51.100.1",
    up: { rateMbps, queueBytes, lossProbability, delayMs: rttMs / 2, ...settings.link },
    down: { delayMs: rttMs / 2 },
  });
  host.run(sender, (nowMs) => sender.pump(nowMs));
  const receivers = flows.map((_, i) => {
    const receiver = new BulkReceiver(random.fork(`receiver ${i}`));
    const there = world.addHost(`receiver ${i}`, { ip: `198.51.100.${10 + i}` });
    there.run(receiver, (nowMs) => receiver.pump(nowMs));
    return { receiver, there };
  });

  for (const [i, congestion] of flows.entries()) {
    if (i > 0) world.runFor(staggerMs);
    const { receiver, there } = receivers[i] as (typeof receivers)[number];
    host.input((nowMs) => sender.start(nowMs, random.fork(`flow ${i}`), congestion, receiver, there.address));
  }
  if (settings.pauseMs !== undefined) {
    for (const each of [host, ...receivers.map(({ there }) => there)])
      disturb(world, each, settings.pauseMs, random.fork(`pauses of ${each.name}`));
  }
  if (settings.keystrokeMs !== undefined) press(world, host, sender, settings.keystrokeMs);
  const link = host.attachment.up;
  const { change } = settings;
  if (change !== undefined) world.after(change.afterMs, () => link.change(change.link));
  world.runFor(warmUpMs);

  const before = receivers.map(({ receiver }) => receiver.receivedBytes);
  const packetsBefore = {
    data: host.datagramsSent,
    ack: host.datagramsReceived,
    offered: link.offered,
    lost: link.lost,
    marked: link.marked,
  };
  const typed = sender.flows[0]?.keystrokesMs.length ?? 0;
  const waits: number[] = [];
  for (let i = 0; i < durationMs / SAMPLE_MS; i++) {
    world.runFor(SAMPLE_MS);
    waits.push(link.queuedBytes / (rateMbps * 125));
  }
  const bytes = receivers.map(({ receiver }, i) => receiver.receivedBytes - (before[i] as number));
  const total = bytes.reduce((sum, n) => sum + n, 0);
  const squares = bytes.reduce((sum, n) => sum + n * n, 0);
  waits.sort((a, b) => a - b);
  return {
    mbps: bytes.map((n) => (n * 8) / durationMs / 1000),
    utilisation: (total * 8) / durationMs / 1000 / rateMbps,
    fairness: (total * total) / (bytes.length * squares),
    queueMs: waits.reduce((sum, n) => sum + n, 0) / waits.length,
    queue95Ms: waits[Math.floor(waits.length * 0.95)] as number,
    lost: (link.lost - packetsBefore.lost) / (link.offered - packetsBefore.offered),
    marked: (link.marked - packetsBefore.marked) / (link.offered - packetsBefore.offered),
    ecn: sender.flows.map(({ connection }) => connection.paths.active?.ecn.state),
    dataPackets: ((host.datagramsSent - packetsBefore.data) / total) * 1e6,
    ackPackets: ((host.datagramsReceived - packetsBefore.ack) / total) * 1e6,
    keystrokesMs: sender.flows[0]?.keystrokesMs.slice(typed) ?? [],
  };
}

const isConnected = (state: string): boolean => state === "connected";

function press(world: World, host: ReturnType<World["addHost"]>, sender: BulkSender, everyMs: number): void {
  world.after(everyMs, () => {
    const flow = sender.flows[0];
    if (flow !== undefined && isConnected(flow.connection.state)) host.input((nowMs) => flow.press(nowMs));
    press(world, host, sender, everyMs);
  });
}

/** Lets the host's program do nothing for a while, again and again; what comes meanwhile it finds in its socket. */
function disturb(world: World, host: Host, pauseMs: number, random: SeededRandom): void {
  world.after(random.fraction() * 2 * PAUSES_APART_MS, () => {
    host.pause({ packets: "buffered" });
    world.after(random.fraction() * pauseMs, () => {
      host.resume();
      disturb(world, host, pauseMs, random);
    });
  });
}
