// A program that runs in a host of the lab: its output by lines, its events where the lines are JSON, its end.

import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";

/** One JSON object that the program wrote as a line. */
export interface LabEvent {
  readonly event: string;
  readonly fields: Readonly<Record<string, unknown>>;
  /** When the line arrived, on the clock of `performance.now()`. */
  readonly atMs: number;
}

export interface ProcessEnd {
  /** null where a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface SpawnOptions {
  /** What messages call the program; the command itself where absent. */
  readonly title?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** Lines of output that an error message shows. */
const TAIL_LINES = 30;

function parseEvent(line: string): LabEvent | undefined {
  if (!line.startsWith("{")) return undefined;
  try {
    const fields = JSON.parse(line) as Record<string, unknown>;
    return typeof fields.event === "string" ? { event: fields.event, fields, atMs: performance.now() } : undefined;
  } catch {
    return undefined;
  }
}

export class LabProcess {
  readonly pid: number;
  /** Lines of stdout and stderr so far. */
  readonly lines: string[] = [];
  readonly errorLines: string[] = [];
  /** The lines of stdout that are events. */
  readonly events: LabEvent[] = [];
  readonly ended: Promise<ProcessEnd>;
  private readonly child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly title: string;
  private readonly watchers = new Set<() => void>();
  private end: ProcessEnd | undefined;

  /** @param argv the command that is spawned; `nsenter` becomes the program in it, so that the process id is the program's. */
  constructor(title: string, argv: readonly string[], options: SpawnOptions = {}) {
    this.title = title;
    this.child = spawn(argv[0] as string, argv.slice(1), {
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, ...options.env },
      cwd: options.cwd,
    });
    this.pid = this.child.pid ?? -1;
    // A program that ends before it has read its input is not an error of the test's.
    this.child.stdin.on("error", () => {});
    createInterface({ input: this.child.stdout }).on("line", (line) => {
      this.lines.push(line);
      const event = parseEvent(line);
      if (event !== undefined) this.events.push(event);
      this.wake();
    });
    createInterface({ input: this.child.stderr }).on("line", (line) => {
      this.errorLines.push(line);
      this.wake();
    });
    this.ended = this.waitForEnd();
    this.ended.catch(() => {});
  }

  private async waitForEnd(): Promise<ProcessEnd> {
    const [code, signal] = (await once(this.child, "close")) as [number | null, NodeJS.Signals | null];
    this.end = { code, signal, stdout: this.lines.join("\n"), stderr: this.errorLines.join("\n") };
    this.wake();
    return this.end;
  }

  private wake(): void {
    for (const watcher of this.watchers) watcher();
  }

  /** Writes to the program's input. */
  write(data: string | Uint8Array): void {
    this.child.stdin.write(data);
  }

  endInput(): void {
    this.child.stdin.end();
  }

  /** @returns what was written last, for messages. */
  tail(): string {
    const show = (name: string, lines: readonly string[]) => `-- ${name}\n${lines.slice(-TAIL_LINES).join("\n")}`;
    return `${show("stdout", this.lines)}\n${show("stderr", this.errorLines)}`;
  }

  /** Resolves with the first result of `look` that is not undefined; rejects when the program ends or time is up. */
  private waitFor<T>(what: string, timeoutMs: number, look: () => T | undefined): Promise<T> {
    return new Promise((resolve, reject) => {
      const settle = (): boolean => {
        const found = look();
        if (found !== undefined) resolve(found);
        else if (this.end !== undefined)
          reject(this.failure(`ended (${this.end.code ?? this.end.signal}) without ${what}`));
        else return false;
        return true;
      };
      if (settle()) return;
      const timer = setTimeout(() => {
        this.watchers.delete(watcher);
        reject(this.failure(`showed no ${what} within ${timeoutMs} ms`));
      }, timeoutMs);
      const watcher = (): void => {
        if (!settle()) return;
        clearTimeout(timer);
        this.watchers.delete(watcher);
      };
      this.watchers.add(watcher);
    });
  }

  private failure(message: string): Error {
    return new Error(`${this.title} ${message}\n${this.tail()}`);
  }

  /**
   * @param where chooses among the events of that name
   * @param from how many of the program's events to pass over: `events.length` for those that are still to come
   * @returns the first such event
   */
  waitForJson(event: string, timeoutMs: number, where = (_: LabEvent): boolean => true, from = 0): Promise<LabEvent> {
    const isWanted = (candidate: LabEvent): boolean => candidate.event === event && where(candidate);
    return this.waitFor(`"${event}"`, timeoutMs, () => this.events.slice(from).find(isWanted));
  }

  /** @returns the first line of stdout or stderr that matches. */
  waitForLine(pattern: RegExp, timeoutMs: number): Promise<string> {
    const matches = (line: string): boolean => pattern.test(line);
    return this.waitFor(`line ${pattern}`, timeoutMs, () => this.lines.find(matches) ?? this.errorLines.find(matches));
  }

  get isRunning(): boolean {
    return this.end === undefined;
  }

  /** Sends a signal to this process alone, by its id. */
  kill(signal: NodeJS.Signals): void {
    if (this.isRunning) this.child.kill(signal);
  }

  /** Sends a signal and waits for the end. @throws where the program is still there after `timeoutMs`. */
  async stop(signal: NodeJS.Signals = "SIGTERM", timeoutMs = 10_000): Promise<ProcessEnd> {
    this.kill(signal);
    const timeUp = new AbortController();
    const late = sleep(timeoutMs, undefined, { signal: timeUp.signal }).then(
      () => {
        throw this.failure(`is still there ${timeoutMs} ms after ${signal}`);
      },
      () => this.ended,
    );
    try {
      return await Promise.race([this.ended, late]);
    } finally {
      timeUp.abort();
    }
  }
}
