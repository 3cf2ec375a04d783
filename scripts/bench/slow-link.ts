// A shell over 64 kbit/s and 600 ms: one byte there and back, again and again, while a file goes through; and alone, for comparison. Over
// the tunnel both are streams of one connection; of the kernel's TCP each is a connection of its own.

import { setTimeout as sleep } from "node:timers/promises";
import type { LabProcess } from "../../test/lab/lab-process.ts";
import type { FlowKind, LinkLab } from "./link-lab.ts";
import type { KeystrokeRecord } from "./link-record.ts";
import type { LoadOrder } from "./load-order.ts";

/** A queue of two seconds, as such links have. */
const SLOW_LINK = { rateMbps: 0.064, delayMs: 300, queueBytes: 16_000, lossProbability: 0 };
/** The file has the link for itself until slow start has filled the queue. */
const HEAD_START_MS = 8_000;
const START_MS = 15_000;
/** What is in the queue when the flow ends comes out before the next one begins. */
const DRAIN_MS = 3_500;

/** @param typingMs for how long keys are pressed. */
export async function measureKeystrokes(
  place: LinkLab,
  kind: FlowKind,
  isBusy: boolean,
  typingMs: number,
): Promise<KeystrokeRecord> {
  await place.link.change(SLOW_LINK);
  const flow = await place.start(kind);
  let file: LabProcess | undefined;
  try {
    if (isBusy) {
      const durationMs = typingMs + 4_000;
      const bulk: LoadOrder = { load: "bulk", direction: "down", streams: 1, warmUpMs: HEAD_START_MS, durationMs };
      file = place.load(flow, bulk);
      await file.waitForJson("warm", HEAD_START_MS + START_MS);
    }
    const typing = place.load(flow, { load: "round-trips", durationMs: typingMs, countMax: 10_000 });
    const { fields } = await typing.waitForJson("result", typingMs + 2 * START_MS);
    const bytesPerSecond = (await file?.waitForJson("result", 2 * START_MS))?.fields.bytesPerSecond ?? 0;
    await typing.ended;
    return {
      about: "keystroke",
      kind,
      isBusy,
      p50Ms: Number(fields.p50Ms),
      p95Ms: Number(fields.p95Ms),
      count: Number(fields.count),
      downloadKbps: (Number(bytesPerSecond) * 8) / 1000,
    };
  } finally {
    await file?.stop("SIGKILL");
    await flow.end();
    await sleep(DRAIN_MS);
  }
}
