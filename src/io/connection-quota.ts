// How many forwarded connections a process may have, counted against its file descriptors: where they run out, everything
// fails at once, the state directory and name resolution included. That the bound was reached is said once a time.

import { readFileSync } from "node:fs";
import { FORWARD_CONNECTIONS_MAX, FORWARD_RESERVED_DESCRIPTORS } from "../base/limits.ts";
import type { Log } from "../base/log.ts";

export class ConnectionQuota {
  readonly max: number;
  private readonly log: Log;
  private said = false;

  /** @param max the process's own bound, unless a test has another one. */
  constructor(log: Log, max: number = connectionsMax()) {
    this.log = log;
    this.max = max;
  }

  /** @param open how many there are. */
  hasRoom(open: number): boolean {
    if (open >= this.max) return false;
    // Said again only after the connections had become clearly fewer.
    if (open < this.max * 0.75) this.said = false;
    return true;
  }

  /** A connection was refused because there was no room. */
  onRefused(): void {
    if (this.said) return;
    this.said = true;
    this.log.warn(
      `${this.max} connections are open, as many as this process may have; new ones are refused until some end (raise the limit with ulimit -n)`,
    );
  }
}

function connectionsMax(): number {
  const limit = descriptorLimit();
  if (limit === undefined) return FORWARD_CONNECTIONS_MAX;
  return Math.max(1, Math.min(FORWARD_CONNECTIONS_MAX, limit - FORWARD_RESERVED_DESCRIPTORS));
}

/** @returns the soft limit, where the system shows it (Linux does). Node has raised it to the hard one at its start. */
function descriptorLimit(): number | undefined {
  let text: string;
  try {
    text = readFileSync("/proc/self/limits", "utf8");
  } catch {
    return undefined;
  }
  const match = /^Max open files\s+(\d+)/m.exec(text);
  return match === null ? undefined : Number(match[1]);
}
