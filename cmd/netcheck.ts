// tunnel netcheck

import type { CommandModule, InferredOptionTypes } from "yargs";
import { directOptions, jsonOption, logLevelOption, rendezvousOption } from "./shared-option.ts";

const options = {
  rendezvous: rendezvousOption,
  stun: {
    type: "string",
    array: true,
    default: [] as string[],
    defaultDescription: "none",
    requiresArg: true,
    describe: "host:port of a STUN server to ask besides; may be repeated",
  },
  lifetime: {
    type: "boolean",
    default: false,
    describe: "Find out how long the router remembers a silent connection, in up to five minutes",
  },
  "port-mapping": {
    ...directOptions["port-mapping"],
    describe: "Ask the router to map a port, for as long as this takes; --no-port-mapping leaves it alone",
  },
  json: jsonOption,
  "log-level": logLevelOption,
} as const;

export const netcheckCommand: CommandModule<object, InferredOptionTypes<typeof options>> = {
  command: "netcheck",
  describe: "Tell what this network allows, and what to do about what it does not",
  builder: options,
  handler: async (argv) => {
    const { runCommand } = await import("../src/daemon/command.ts");
    await runCommand(argv, async (context) => {
      const { runNetcheck } = await import("../src/daemon/netcheck-process.ts");
      await runNetcheck(argv, context);
    });
  },
};
