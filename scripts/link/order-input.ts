// The orders on standard input, read by a program that blocks its only thread: what is there is taken, and lines are cut from it.

import { readSync } from "node:fs";

const STDIN = 0;

export class OrderInput {
  private readonly buffer = Buffer.alloc(65_536);
  private rest = "";

  /** To be called when standard input can be read. @returns the lines that are whole now, or undefined where the input is at its end. */
  read(): string[] | undefined {
    const lengthBytes = readSync(STDIN, this.buffer);
    if (lengthBytes === 0) return undefined;
    const lines = (this.rest + this.buffer.toString("utf8", 0, lengthBytes)).split("\n");
    this.rest = lines.pop() as string;
    return lines.filter((line) => line.trim() !== "");
  }
}
