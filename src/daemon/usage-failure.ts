// How a command line that cannot be understood is answered: one line and exit code 2, before anything heavy is loaded.

import { writeErrorEvent, writeLineNow } from "./line-writer.ts";
import { exitCode } from "./usage-error.ts";

/** @param args the command line, of which may come that it is to be told in JSON. @param help the command whose help says more. */
export function endByUsage(message: string, args: readonly string[], help: string): never {
  const line = message.trim().split("\n").at(-1) as string;
  if (args.includes("--json")) writeErrorEvent("usage", line);
  writeLineNow(2, `tunnel: ${line}. See: ${help} --help`);
  process.exit(exitCode.usage);
}
