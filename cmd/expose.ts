// tunnel expose

import type { Argv, CommandModule, InferredOptionTypes } from "yargs";
import {
  addressOption,
  congestionOption,
  directOptions,
  jsonOption,
  logLevelOption,
  rendezvousOption,
  resumeOption,
  single,
} from "./shared-option.ts";

const options = {
  name: { ...single, describe: "Name of the service; the port where none is given" },
  allow: {
    type: "string",
    array: true,
    default: [] as string[],
    defaultDescription: "nobody",
    requiresArg: true,
    describe: "Let this peer id in without a ticket; may be repeated",
  },
  public: { type: "boolean", default: false, describe: "Let everybody in who knows this machine's id" },
  rendezvous: rendezvousOption,
  address: {
    ...addressOption,
    describe: "host:port at which this machine's UDP port can be reached from outside; goes into the ticket",
  },
  ...directOptions,
  congestion: congestionOption,
  "resume-timeout": resumeOption,
  "new-ticket": { type: "boolean", default: false, describe: "Make a new ticket; older ones stop working" },
  "ticket-file": { ...single, describe: "Write the ticket to this file, for its owner alone, instead of printing it" },
  json: jsonOption,
  "log-level": logLevelOption,
} as const;

const builder = (argv: Argv) =>
  argv
    .positional("target", { type: "string", demandOption: true, describe: "port, host:port or unix:/path" })
    .options(options);

export const exposeCommand: CommandModule<object, InferredOptionTypes<typeof options> & { target: string }> = {
  command: "expose <target>",
  describe: "Make a local service reachable; prints a ticket for the other side",
  builder,
  handler: async (argv) => {
    const { runCommand } = await import("../src/daemon/command.ts");
    await runCommand(argv, async (context) => {
      const { runExpose } = await import("../src/daemon/expose-process.ts");
      await runExpose(argv, context);
    });
  },
};
