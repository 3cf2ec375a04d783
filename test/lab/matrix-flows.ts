// How much a router had to remember: every UDP flow as the kernel's connection tracking begins and ends it.

import type { Lab } from "./lab.ts";
import type { LabProcess } from "./lab-process.ts";
import type { LabNode } from "./topology.ts";

export interface FlowPeaks {
  /** Most flows alive at once. */
  readonly alive: number;
  /** Most flows that were new within a second. */
  readonly newPerSecond: number;
}

/** "[1795176734.613650]	    [NEW] udp      17 30 src=…" */
const EVENT = /^\[(\d+\.\d+)\]\s+\[(NEW|DESTROY)\]/;

/** @param lines of `conntrack -E -o timestamp`, which began with an empty table. */
export function flowPeaks(lines: readonly string[]): FlowPeaks {
  let alive = 0;
  let aliveMost = 0;
  let newMost = 0;
  const newAtSeconds: number[] = [];
  for (const line of lines) {
    const match = EVENT.exec(line);
    if (match === null) continue;
    if (match[2] === "DESTROY") {
      alive--;
      continue;
    }
    alive++;
    aliveMost = Math.max(aliveMost, alive);
    const atSeconds = Number(match[1]);
    newAtSeconds.push(atSeconds);
    while ((newAtSeconds[0] as number) <= atSeconds - 1) newAtSeconds.shift();
    newMost = Math.max(newMost, newAtSeconds.length);
  }
  return { alive: aliveMost, newPerSecond: newMost };
}

export class FlowWatch {
  private readonly process: LabProcess;

  private constructor(process: LabProcess) {
    this.process = process;
  }

  /** Empties the router's table and watches it from then on. */
  static async start(lab: Lab, router: LabNode): Promise<FlowWatch> {
    await lab.faults.flushConntrack(router);
    const argv = ["conntrack", "-E", "-p", "udp", "-e", "NEW,DESTROY", "-o", "timestamp", "-b", "4194304"];
    return new FlowWatch(lab.spawn(router, argv));
  }

  /** @throws where events were missed. */
  async stop(): Promise<FlowPeaks> {
    const { stderr } = await this.process.stop("SIGINT");
    if (/overrun|ENOBUFS|No buffer/.test(stderr)) throw new Error(`conntrack missed events: ${stderr}`);
    return flowPeaks(this.process.lines);
  }
}
