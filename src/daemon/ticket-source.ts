// Where the ticket of `tunnel connect` comes from. An argument is the easiest to use, but the list of processes shows it to
// everybody on the machine; standard input, a file and the environment do not.

import { readFileSync } from "node:fs";
import { TICKET_CHARACTERS_MAX } from "../base/limits.ts";
import { type Environment, fileErrorReason } from "./state-directory.ts";
import { UsageError } from "./usage-error.ts";

/** What stands for standard input. The parser of the command line takes no "-" for an argument, and is given this for it. */
export const STANDARD_INPUT = "/dev/stdin";

export interface TicketSourceOptions {
  /** A ticket or a peer id, or STANDARD_INPUT. */
  readonly peer?: string | undefined;
  readonly ticketFile?: string | undefined;
}

/** @returns what the person gave, not parsed yet. @throws UsageError where there is nothing, or more than one thing. */
export async function readTicketText(options: TicketSourceOptions, env: Environment): Promise<string> {
  const { peer, ticketFile } = options;
  if (peer !== undefined && ticketFile !== undefined) {
    throw new UsageError("both a ticket and --ticket-file were given; give one of them");
  }
  if (peer === STANDARD_INPUT) return readStandardInput(process.stdin);
  if (peer !== undefined) {
    // The title takes the place of the arguments in the list of processes.
    process.title = "tunnel connect";
    return peer;
  }
  if (ticketFile !== undefined) return readTicketFile(ticketFile);
  if (env.TUNNEL_TICKET) return env.TUNNEL_TICKET;
  throw new UsageError(
    'nothing to connect to: give the ticket that "tunnel expose" printed, a peer id, --ticket-file or TUNNEL_TICKET',
  );
}

function readTicketFile(path: string): string {
  let text: string;
  try {
    text = readFileSync(path, "utf8")
      .slice(0, TICKET_CHARACTERS_MAX + 1)
      .trim();
  } catch (error) {
    throw new UsageError(`cannot read the ticket file ${path}: ${fileErrorReason(error)}`);
  }
  if (text === "") throw new UsageError(`the ticket file ${path} is empty; write the ticket into it`);
  return text;
}

/** @param input read to its end, or as far as a ticket can be long. */
export async function readStandardInput(input: AsyncIterable<Buffer | string>): Promise<string> {
  let text = "";
  for await (const chunk of input) {
    text += chunk;
    if (text.length > TICKET_CHARACTERS_MAX) break;
  }
  if (text.trim() === "") throw new UsageError("no ticket came on standard input; write the ticket to it");
  return text.trim();
}
