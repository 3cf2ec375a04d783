// How a command line that cannot be understood is answered: one line and exit code 2, before anything heavy is loaded.

import { writeErrorEvent, writeLineNow } from "./line-writer.ts";
import { exitCode } from "./usage-error.ts";

/**
 * @param message of the parser, which knows of no names of commands.
 * @param args the command line: it may ask for JSON.
 */
export function endByUsage(message: string, args: readonly string[], commands: readonly string[]): never {
  const [first] = args;
  const command = commands.find((name) => name === first);
  const reason = message.trim().split("\n").at(-1) as string;
  const line = command === undefined ? describeNoCommand(first, reason, commands) : reason;
  if (args.includes("--json")) writeErrorEvent("usage", line);
  writeLineNow(2, `tunnel: ${line}. See: tunnel ${command === undefined ? "" : `${command} `}--help`);
  process.exit(exitCode.usage);
}

function describeNoCommand(first: string | undefined, reason: string, commands: readonly string[]): string {
  const what = first === undefined || first.startsWith("-") ? reason : `there is no command "${first}"`;
  return `${what}; expected ${commands.slice(0, -1).join(", ")} or ${commands.at(-1)}`;
}
