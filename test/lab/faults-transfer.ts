// A transfer that a fault is about to hit: two sites, the program on both, and a download at a steady rate whose every byte is checked.

import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { Download, type DownloadResult } from "./download.ts";
import { Lab } from "./lab.ts";
import type { LabProcess } from "./lab-process.ts";
import { type Connected, type Exposed, LabTunnel, pathEvent, type StartOptions } from "./lab-tunnel.ts";
import { assertNats } from "./nat-observation.ts";
import type { SiteKind } from "./router-rules.ts";
import type { LabSite } from "./topology.ts";

const MB = 1_000_000;
/** Slow enough to last, and to leave the machine to others; fast enough that a pause shows. */
const BYTES_PER_SECOND = 4 * MB;
const SERVICE_PORT = 3000;
const CONTACT_TIMEOUT_MS = 10_000;
const DIRECT_TIMEOUT_MS = 20_000;

export interface TransferOptions {
  /** How long the transfer lasts where nothing disturbs it. */
  readonly seconds: number;
  /** After so long it is given up: `seconds` and what the fault may cost. */
  readonly limitSeconds: number;
  /** The path on which it begins; direct unless told. */
  readonly via?: "direct" | "relay";
  readonly service?: StartOptions;
  readonly client?: StartOptions;
}

/** A third site is only there to be moved to. */
export interface FaultKinds {
  readonly A: SiteKind;
  readonly B: SiteKind;
  readonly C?: SiteKind;
}

export class FaultTransfer {
  readonly rendezvous: LabProcess;
  readonly exposed: Exposed;
  readonly connected: Connected;
  readonly download: Download;

  private constructor(rendezvous: LabProcess, exposed: Exposed, connected: Connected, download: Download) {
    this.rendezvous = rendezvous;
    this.exposed = exposed;
    this.connected = connected;
    this.download = download;
  }

  /** Resolves when both sides go the way that was asked for, and bytes arrive by it. */
  static async begin(tunnel: LabTunnel, options: TransferOptions): Promise<FaultTransfer> {
    const { seconds, limitSeconds, via = "direct" } = options;
    const rendezvous = await tunnel.startRendezvous({ alternate: true });
    await tunnel.serveFiles(SERVICE_PORT);
    const exposed = await tunnel.expose(SERVICE_PORT, options.service);
    const connected = await tunnel.connect(exposed.ticket, SERVICE_PORT, options.client);
    const timeoutMs = via === "direct" ? DIRECT_TIMEOUT_MS : CONTACT_TIMEOUT_MS;
    for (const { process } of [connected, exposed]) await pathEvent(process, via, timeoutMs);
    const download = Download.start(tunnel.lab, tunnel.clientHost, {
      local: connected.local,
      lengthBytes: seconds * BYTES_PER_SECOND,
      bytesPerSecond: BYTES_PER_SECOND,
      limitSeconds,
    });
    await download.waitForBytes(2 * BYTES_PER_SECOND, 10_000);
    return new FaultTransfer(rendezvous, exposed, connected, download);
  }

  /** @returns how the data of a side went, at each change; the client's, unless told. */
  waysOf({ process }: { readonly process: LabProcess } = this.connected): unknown[] {
    return process.events.filter(({ event }) => event === "path").map(({ fields }) => fields.via);
  }

  /** Waits for a side, the client unless told, to say that its data go this way from now on. */
  async goesBy(
    via: "direct" | "relay",
    timeoutMs: number,
    side: { process: LabProcess } = this.connected,
  ): Promise<void> {
    if (this.waysOf(side).at(-1) === via) return;
    await pathEvent(side.process, via, timeoutMs, side.process.events.length);
  }

  /** Proves that every byte arrived, and that both sides are still there. @returns the longest pause since `fromMs`. */
  async assertWhole(fromMs: number): Promise<{ readonly pauseMs: number; readonly result: DownloadResult }> {
    const result = await this.download.assertWhole();
    assert.ok(this.connected.process.isRunning && this.exposed.process.isRunning);
    return { pauseMs: this.download.longestPauseMs(fromMs, result.endMs), result };
  }
}

export interface FaultContext {
  readonly lab: Lab<"A" | "B">;
  readonly tunnel: LabTunnel;
  readonly context: TestContext;
  /** The site to move to, where there is one. */
  readonly spare: LabSite | undefined;
}

/** A test in a lab of its own, whose NATs have been proven to be what they are called. */
export function faultTest(name: string, kinds: FaultKinds, body: (fault: FaultContext) => Promise<void>): void {
  test(name, async (context) => {
    const lab = await Lab.create(kinds as Readonly<Record<"A" | "B", SiteKind>>);
    const tunnel = new LabTunnel(lab);
    const spare = (lab.sites as Readonly<Record<string, LabSite>>).C;
    try {
      await assertNats(lab, ...Object.values(lab.sites));
      await tunnel.pace.look();
      await body({ lab, tunnel, context, spare });
    } catch (error) {
      context.diagnostic(tunnel.describe());
      throw error;
    } finally {
      await lab.destroy();
    }
  });
}
