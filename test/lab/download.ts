// A download by curl in a host of the lab, watched while it runs: how much has arrived when, the longest pause, and whether
// every byte is the one that was sent.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { createReadStream, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { contentSha256 } from "./content.ts";
import type { Lab } from "./lab.ts";
import type { LabProcess } from "./lab-process.ts";
import type { LabNode } from "./topology.ts";

const POLL_MS = 10;

/** What is asked of the file server. */
export interface DownloadOrder {
  readonly lengthBytes: number;
  /** Where the server listens, seen from the host: "127.0.0.1:3000". */
  readonly local: string;
  /** Bytes a second at which the server sends; as fast as it goes where absent. */
  readonly bytesPerSecond?: number;
  /** After so long curl gives up. */
  readonly limitSeconds: number;
}

export interface DownloadResult {
  /** curl's exit code. */
  readonly code: number | null;
  readonly lengthBytes: number;
  /** From the TCP connection to the first byte of the answer. */
  readonly firstByteMs: number;
  /** On the clock of `performance.now()`. */
  readonly endMs: number;
  readonly stderr: string;
}

interface Progress {
  readonly atMs: number;
  readonly bytes: number;
}

let downloads = 0;

async function sha256Of(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest("hex");
}

export class Download {
  readonly startMs = performance.now();
  readonly ended: Promise<DownloadResult>;
  /** What the content is made from. */
  readonly seed: string;
  private readonly order: DownloadOrder;
  private readonly file: string;
  private readonly curl: LabProcess;
  private readonly progress: Progress[] = [];

  private constructor(lab: Lab, host: LabNode, order: DownloadOrder) {
    this.seed = `download-${++downloads}`;
    this.order = order;
    this.file = join(lab.scratch, this.seed);
    const rate = order.bytesPerSecond === undefined ? "" : `?rate=${order.bytesPerSecond}`;
    const url = `http://${order.local}/${order.lengthBytes}/${this.seed}${rate}`;
    const limit = ["--max-time", String(order.limitSeconds)];
    this.curl = lab.spawn(host, ["curl", "-sS", "-N", ...limit, "-o", this.file, "-w", "%{json}", url]);
    this.ended = this.watch();
  }

  static start(lab: Lab, host: LabNode, order: DownloadOrder): Download {
    return new Download(lab, host, order);
  }

  /** What has arrived so far. */
  get bytes(): number {
    return this.progress.at(-1)?.bytes ?? 0;
  }

  private look(): void {
    const bytes = statSync(this.file, { throwIfNoEntry: false })?.size ?? 0;
    if (bytes !== this.bytes) this.progress.push({ atMs: performance.now(), bytes });
  }

  private async watch(): Promise<DownloadResult> {
    const timer = setInterval(() => this.look(), POLL_MS);
    const end = await this.curl.ended;
    const endMs = performance.now();
    clearInterval(timer);
    this.look();
    const times = JSON.parse(end.stdout || "{}") as { time_starttransfer?: number; time_connect?: number };
    const firstByteMs = ((times.time_starttransfer ?? Number.NaN) - (times.time_connect ?? 0)) * 1000;
    return { code: end.code, lengthBytes: this.bytes, firstByteMs, endMs, stderr: end.stderr };
  }

  /** @returns what had arrived at that moment. */
  bytesAt(atMs: number): number {
    return this.progress.findLast((step) => step.atMs <= atMs)?.bytes ?? 0;
  }

  /** Waits until so much has arrived. @throws where the download ends or the time is up before. */
  async waitForBytes(bytes: number, timeoutMs: number): Promise<void> {
    const deadlineMs = performance.now() + timeoutMs;
    while (this.bytes < bytes) {
      if (!this.curl.isRunning) throw new Error(`the download ended at ${this.bytes} bytes: ${this.curl.tail()}`);
      if (performance.now() > deadlineMs)
        throw new Error(`${this.bytes} of ${bytes} bytes came within ${timeoutMs} ms`);
      await sleep(POLL_MS);
    }
  }

  /** @returns the longest time between two moments in which nothing arrived. */
  longestPauseMs(fromMs: number, toMs: number): number {
    const moments = this.progress.map((step) => step.atMs).filter((atMs) => atMs > fromMs && atMs < toMs);
    let longestMs = 0;
    let lastMs = fromMs;
    for (const atMs of [...moments, toMs]) {
      longestMs = Math.max(longestMs, atMs - lastMs);
      lastMs = atMs;
    }
    return longestMs;
  }

  /** Waits for the end, and proves that what arrived is what was sent. */
  async assertWhole(): Promise<DownloadResult> {
    const result = await this.ended;
    assert.equal(result.code, 0, `curl failed after ${result.lengthBytes} bytes: ${result.stderr}`);
    assert.equal(result.lengthBytes, this.order.lengthBytes);
    assert.equal(await sha256Of(this.file), contentSha256(this.seed, this.order.lengthBytes));
    rmSync(this.file);
    return result;
  }
}
