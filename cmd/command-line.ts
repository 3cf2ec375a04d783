// The command line as yargs understands it. Each command is a file beside this one and loads what it does only when it
// is called for.

import yargs from "yargs";
import { STANDARD_INPUT } from "../src/daemon/ticket-source.ts";
import { endByUsage } from "../src/daemon/usage-failure.ts";
import { connectCommand } from "./connect.ts";
import { demoCommand } from "./demo.ts";
import { exposeCommand } from "./expose.ts";
import { idCommand } from "./id.ts";
import { netcheckCommand } from "./netcheck.ts";
import { rendezvousCommand } from "./rendezvous.ts";

const commandNames = ["expose", "connect", "rendezvous", "id", "netcheck", "demo"];

const sameForMany = (text: string) => ({ one: text, other: text });

/** What yargs says, in the words of a person. Its types know nothing of the plural that it looks for. */
const strings = {
  "Not enough non-option arguments: got %s, need at least %s": sameForMany(
    "the target is missing, which is a port, host:port or unix:/path (%s given, %s expected)",
  ),
  "Unknown argument: %s": sameForMany("not understood here: %s"),
  "Not enough arguments following: %s": "the option --%s needs a value",
} as unknown as Record<string, string>;

/** @param args what stands behind the program's name. */
export async function runCommandLine(args: readonly string[], version: string): Promise<void> {
  const cli = yargs(args.map((word) => (word === "-" ? STANDARD_INPUT : word)));
  await cli
    .scriptName("tunnel")
    .locale("en")
    .usage(
      "Makes a local TCP service reachable from another machine, through NATs and firewalls.\n\nUsage: $0 <command>",
    )
    .example([
      ["$0 rendezvous", "on a public machine"],
      ["$0 expose 3000 --rendezvous meet.example.org", "where the service is; prints a ticket"],
      ["$0 connect <ticket>", "where it is wanted"],
    ])
    .command(exposeCommand)
    .command(connectCommand)
    .command(rendezvousCommand)
    .command(idCommand)
    .command(netcheckCommand)
    .command(demoCommand)
    .demandCommand(1, "no command was given")
    .strict()
    .updateStrings(strings)
    // Every --allow and --rendezvous takes one value, so that a target may stand behind it.
    .parserConfiguration({ "greedy-arrays": false, "parse-numbers": false, "parse-positional-numbers": false })
    .version(version)
    .help()
    .alias("help", "h")
    .wrap(Math.min(100, cli.terminalWidth()))
    .fail((message, error) => {
      if (error !== undefined && error.name !== "YError") throw error;
      endByUsage(message ?? error.message, args, commandNames);
    })
    .parseAsync();
}
