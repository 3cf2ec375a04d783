// A command of this program as a process of its own, whose JSON events are read: how the demo plays all the parts.

import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { OutputEvent } from "./output.ts";
import type { Environment } from "./state-directory.ts";
import { OperatingError } from "./usage-error.ts";

export class ChildCommand {
  private readonly name: string;
  private readonly child: ChildProcess;
  private readonly events: OutputEvent[] = [];
  private readonly ended: Promise<void>;
  private wake: (() => void) | undefined;
  private exited = false;

  /** @param args the command and its options, without --json. */
  constructor(args: readonly string[], env: Environment) {
    this.name = args[0] ?? "";
    const program = process.argv[1] as string;
    this.child = spawn(process.execPath, [program, ...args, "--json"], {
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "inherit"],
      // Ctrl-C in a terminal reaches a whole process group; these end when the demo says so.
      detached: true,
    });
    if (this.child.stdout !== null) {
      createInterface({ input: this.child.stdout }).on("line", (line) => this.onLine(line));
    }
    this.ended = new Promise((resolve) => {
      this.child.once("error", () => this.onExit(resolve));
      this.child.once("exit", () => this.onExit(resolve));
    });
  }

  private onExit(resolve: () => void): void {
    this.exited = true;
    this.wake?.();
    resolve();
  }

  private onLine(line: string): void {
    this.events.push(JSON.parse(line) as OutputEvent);
    this.wake?.();
  }

  /** @returns the first event, of all so far and to come, that `wanted` accepts. @throws OperatingError where none comes in time. */
  async waitFor<E extends OutputEvent>(
    what: string,
    wanted: (e: OutputEvent) => e is E,
    timeoutMs: number,
  ): Promise<E> {
    const deadlineMs = performance.now() + timeoutMs;
    for (;;) {
      const found = this.events.find(wanted);
      if (found !== undefined) return found;
      if (this.exited) throw new OperatingError("demo", `tunnel ${this.name} ended early; what it said stands above`);
      const leftMs = deadlineMs - performance.now();
      if (leftMs <= 0)
        throw new OperatingError("demo", `tunnel ${this.name}: ${what} did not come within ${timeoutMs / 1000} s`);
      await this.nextEvent(leftMs);
    }
  }

  private nextEvent(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Asks the process to end, and makes it after `timeoutMs`. @returns when it has. */
  async end(timeoutMs: number): Promise<void> {
    if (this.exited) return;
    this.child.kill("SIGTERM");
    const timer = setTimeout(() => this.child.kill("SIGKILL"), timeoutMs);
    await this.ended;
    clearTimeout(timer);
  }
}
