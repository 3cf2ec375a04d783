#!/usr/bin/env node
// The command line. Each command is a file beside this one and loads what it does only when it is called for.

import yargs from "yargs";
import { hideBin } from "yargs/helpers";
import { programVersion } from "../src/daemon/program-version.ts";
import { endByUsage } from "../src/daemon/usage-failure.ts";
import { connectCommand } from "./connect.ts";
import { demoCommand } from "./demo.ts";
import { exposeCommand } from "./expose.ts";
import { idCommand } from "./id.ts";
import { rendezvousCommand } from "./rendezvous.ts";

const args = hideBin(process.argv);
const cli = yargs(args);

await cli
  .scriptName("tunnel")
  .locale("en")
  .usage("Makes a local TCP service reachable from another machine, through NATs and firewalls.\n\nUsage: $0 <command>")
  .command(exposeCommand)
  .command(connectCommand)
  .command(rendezvousCommand)
  .command(idCommand)
  .command(demoCommand)
  .demandCommand(1, 1, "no command was given; expected expose, connect, rendezvous, id or demo")
  .strict()
  // Every --allow and --rendezvous takes one value, so that a target may stand behind it.
  .parserConfiguration({ "greedy-arrays": false, "parse-numbers": false, "parse-positional-numbers": false })
  .version(programVersion())
  .help()
  .alias("help", "h")
  .wrap(Math.min(100, cli.terminalWidth()))
  .fail((message, error) => {
    if (error !== undefined && error.name !== "YError") throw error;
    endByUsage(
      message ?? error.message,
      args,
      ["tunnel", ...args.slice(0, 1).filter((word) => /^[a-z]+$/.test(word))].join(" "),
    );
  })
  .parseAsync();
