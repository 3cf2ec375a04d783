// tunnel connect

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
  "ticket-file": { ...single, describe: "Read the ticket from this file" },
  service: { ...single, describe: "Name of the service, where a peer id is given" },
  listen: { ...single, describe: "[host:]port to listen on; the service's own port on 127.0.0.1 where it is free" },
  rendezvous: rendezvousOption,
  address: {
    ...addressOption,
    describe: "host:port at which the peer can be reached, besides or without a rendezvous",
  },
  ...directOptions,
  congestion: congestionOption,
  "resume-timeout": resumeOption,
  json: jsonOption,
  "log-level": logLevelOption,
} as const;

const builder = (argv: Argv) =>
  argv
    .positional("peer", {
      type: "string",
      describe: "Ticket or peer id; - reads it from standard input [TUNNEL_TICKET]",
    })
    .options(options);

export const connectCommand: CommandModule<
  object,
  InferredOptionTypes<typeof options> & { peer?: string | undefined }
> = {
  command: "connect [peer]",
  describe: "Offer a peer's service on a local port",
  builder,
  handler: async (argv) => {
    const { runCommand } = await import("../src/daemon/command.ts");
    await runCommand(argv, async (context) => {
      const { runConnect } = await import("../src/daemon/connect-process.ts");
      await runConnect(argv, context);
    });
  },
};
