// The built program as a process of its own, as users and scripts start it.

import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { temporaryDirectory } from "../daemon/temporary-directory.ts";

const PROGRAM = fileURLToPath(new URL("../../cmd/tunnel.js", import.meta.url));

export type Environment = Readonly<Record<string, string | undefined>>;

/** One line of --json. */
export type JsonEvent = Readonly<Record<string, unknown>> & { readonly event: string };

export class Program {
  readonly child: ChildProcess;
  readonly exited: Promise<number | string>;
  readonly lines: string[] = [];
  stderr = "";
  private changed: (() => void)[] = [];

  /**
   * @param stdin what it reads, or nothing.
   * @param descriptors how many file descriptors it may have.
   */
  constructor(args: readonly string[], env: Environment, stdin?: string, descriptors?: number) {
    const {
      TUNNEL_RENDEZVOUS: _r,
      TUNNEL_TICKET: _t,
      TUNNEL_STATE_DIR: _s,
      TUNNEL_LOG: _l,
      ...inherited
    } = process.env;
    const limit = descriptors === undefined ? "" : `ulimit -n ${descriptors}; `;
    const command = ["-c", `${limit}exec "$0" "$@"`, process.execPath, PROGRAM, ...args];
    this.child = spawn("/bin/sh", command, { env: { ...inherited, ...env } });
    this.child.stdin?.on("error", () => {});
    this.child.stdin?.end(stdin ?? "");
    this.child.stderr?.on("data", (chunk) => {
      this.stderr += chunk;
      this.change();
    });
    if (this.child.stdout !== null) {
      createInterface({ input: this.child.stdout }).on("line", (line) => {
        this.lines.push(line);
        this.change();
      });
    }
    this.exited = new Promise((resolve) => {
      this.child.on("close", (code, signal) => {
        resolve(code ?? signal ?? "");
        this.change();
      });
    });
  }

  private change(): void {
    for (const wake of this.changed.splice(0)) wake();
  }

  get events(): JsonEvent[] {
    return this.lines.map((line) => JSON.parse(line) as JsonEvent);
  }

  /** @returns what `find` returns first that is not undefined; fails with all that was said where that takes too long. */
  async until<T>(find: () => T | undefined, timeoutMs = 10_000): Promise<T> {
    const deadlineMs = performance.now() + timeoutMs;
    for (;;) {
      const found = find();
      if (found !== undefined) return found;
      const leftMs = deadlineMs - performance.now();
      if (leftMs <= 0 || this.child.exitCode !== null) {
        throw new Error(`it did not come; stdout: ${this.lines.join("\n")}; stderr: ${this.stderr}`);
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs);
        this.changed.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  /** @returns the first event of that name that fits. */
  event(name: string, fits: (event: JsonEvent) => boolean = () => true, timeoutMs?: number): Promise<JsonEvent> {
    return this.until(() => this.events.find((event) => event.event === name && fits(event)), timeoutMs);
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }
}

/** Starts programs for one test, each in the state directory that is named, and ends them with it. */
export class Programs {
  private readonly directory: string;
  private readonly started: Program[] = [];

  constructor(t: TestContext) {
    this.directory = temporaryDirectory(t);
    t.after(async () => {
      for (const program of this.started) program.signal("SIGKILL");
      await Promise.all(this.started.map((program) => program.exited));
    });
  }

  stateDirectory(name: string): string {
    return `${this.directory}/${name}`;
  }

  start(state: string, args: readonly string[], env: Environment = {}, stdin?: string, descriptors?: number): Program {
    const program = new Program(args, { TUNNEL_STATE_DIR: this.stateDirectory(state), ...env }, stdin, descriptors);
    this.started.push(program);
    return program;
  }

  /** Runs a program to its end. */
  async run(
    args: readonly string[],
    env: Environment = {},
    stdin?: string,
  ): Promise<{ code: number | string } & Pick<Program, "lines" | "stderr">> {
    const program = this.start("state", args, env, stdin);
    const code = await program.exited;
    return { code, lines: program.lines, stderr: program.stderr };
  }
}
