// How a command line that cannot be understood is answered: one line and exit code 2, before anything heavy is loaded.

import { writeErrorEvent, writeLineNow } from "./line-writer.ts";
import { exitCode, oneOf } from "./usage-error.ts";

/**
 * @param message of the parser, which knows of no names of commands.
 * @param args the command line: it may ask for JSON.
 */
export function endByUsage(message: string, args: readonly string[], commands: readonly string[]): never {
  const [first] = args;
  const command = commands.find((name) => name === first);
  const reason = message.trim().split("\n").at(-1) as string;
  const line = withoutTickets(
    command === undefined ? describeNoCommand(first, reason, commands) : dashed(reason, args),
  );
  if (args.includes("--json")) writeErrorEvent("usage", line);
  writeLineNow(2, `tunnel: ${line}. See: tunnel ${command === undefined ? "" : `${command} `}--help`);
  process.exit(exitCode.usage);
}

/** The parser names an option that it does not know without its dashes, as if it were a word. */
function dashed(reason: string, args: readonly string[]): string {
  const given = new Set(args.filter((word) => /^-./.test(word)).map((word) => word.split("=")[0]));
  return reason.replaceAll(
    /[^\s,]+(?=,|$)/g,
    (word) => ["--", "-"].map((mark) => mark + word).find((option) => given.has(option)) ?? word,
  );
}

/** What is told here is pasted into messages to others; a ticket that was given one word too many is a secret still. */
function withoutTickets(line: string): string {
  return line.replaceAll(/\btunnel[a-z2-7]{40,}/gi, "<ticket>");
}

function describeNoCommand(first: string | undefined, reason: string, commands: readonly string[]): string {
  const what = first === undefined || first.startsWith("-") ? reason : `there is no command "${first}"`;
  return `${what}; expected ${oneOf(commands)}`;
}
