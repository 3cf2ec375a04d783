// What a command says on stdout: one JSON object a line for scripts, or calm lines for a person. Troubles that the command goes
// on through are said here too: as an error event, or as a line on stderr.

import { isatty } from "node:tty";
import { LineWriter } from "./line-writer.ts";
import type { NetcheckReport } from "./netcheck-report.ts";

/** The events that scripts may rely on. */
export type OutputEvent =
  | { readonly event: "ready"; readonly listen: string; readonly id: string; readonly websocketPort?: number }
  | { readonly event: "ready"; readonly peerId: string; readonly ticket: string; readonly target: string }
  | { readonly event: "listening"; readonly service: string; readonly local: string; readonly peerId: string }
  | {
      readonly event: "path";
      readonly peerId: string;
      readonly via: "relay" | "direct";
      readonly remote: string;
      readonly rttMs: number;
      /** Where it is not UDP. */
      readonly over?: "tcp" | "websocket";
    }
  | {
      /** It has been reached, at first or again, or another way than before. */
      readonly event: "rendezvous";
      /** "host:port", as in the error event that told that it is missed. */
      readonly address: string;
      readonly state: "connected";
      readonly over: "udp" | "tcp" | "websocket";
    }
  | {
      /** Of the demo. */
      readonly event: "measured";
      readonly via: "relay" | "direct";
      readonly firstByteMs: number;
      readonly roundTripMs: number;
      readonly megabitsPerSecond: number;
    }
  | { readonly event: "id"; readonly peerId: string }
  | NetcheckReport
  | {
      readonly event: "error";
      readonly code: string;
      readonly message: string;
      /** Of a rendezvous that is missed: "host:port". */
      readonly address?: string;
    };

const FLUSH_MS = 500;

export class Output {
  readonly json: boolean;
  private readonly stdout = new LineWriter(1);
  private readonly stderr = new LineWriter(2);
  private readonly colours: boolean;

  constructor(json: boolean, colours: boolean = wantsColours(process.env, isatty(1))) {
    this.json = json;
    this.colours = colours && !json;
  }

  /** @param text for a person; may have several lines, and "" is none. */
  event(event: OutputEvent, text: string): void {
    if (this.json) this.stdout.write(JSON.stringify(event));
    else if (text !== "") this.stdout.write(text);
  }

  /** Something that is not as it should be, and that the command goes on through. @param more what scripts may want to know. */
  trouble(code: string, message: string, more: { readonly address?: string } = {}): void {
    if (this.json) this.stdout.write(JSON.stringify({ event: "error", code, message, ...more } satisfies OutputEvent));
    this.stderr.write(`tunnel: ${message}`);
  }

  /** A line for a person who watches; scripts do not see it. */
  note(text: string): void {
    if (!this.json) this.stdout.write(text);
  }

  bold(text: string): string {
    return this.colours ? `\x1b[1m${text}\x1b[22m` : text;
  }

  green(text: string): string {
    return this.colours ? `\x1b[32m${text}\x1b[39m` : text;
  }

  yellow(text: string): string {
    return this.colours ? `\x1b[33m${text}\x1b[39m` : text;
  }

  async flush(): Promise<void> {
    await Promise.all([this.stdout.flush(FLUSH_MS), this.stderr.flush(FLUSH_MS)]);
  }
}

/** Colours are for a terminal whose owner did not forbid them (https://no-color.org). */
export function wantsColours(env: Readonly<Record<string, string | undefined>>, isTerminal: boolean): boolean {
  return isTerminal && !env.NO_COLOR && env.TERM !== "dumb";
}
