// tunnel rendezvous

import type { CommandModule, InferredOptionTypes } from "yargs";
import { jsonOption, logLevelOption, single, singleWithDefault } from "./shared-option.ts";

const options = {
  listen: {
    ...singleWithDefault,
    default: "0.0.0.0:4700",
    describe: "[host:]port to listen on, over UDP and TCP; [::]:4700 takes IPv6 as well",
  },
  alternate: {
    type: "string",
    array: true,
    default: [] as string[],
    defaultDescription: "none",
    requiresArg: true,
    describe: "A further [host:]port to answer STUN on, by which agents learn what their NATs do; may be repeated",
  },
  websocket: {
    ...single,
    describe: "[host:]port to take WebSockets on, 443 for instance, for networks that let nothing but HTTP through",
  },
  "tls-cert": { ...single, describe: "Certificate for the WebSockets, a PEM file; without one they are plain" },
  "tls-key": { ...single, describe: "Its private key" },
  json: jsonOption,
  "log-level": logLevelOption,
} as const;

export const rendezvousCommand: CommandModule<object, InferredOptionTypes<typeof options>> = {
  command: "rendezvous",
  describe: "Run the public meeting point that introduces peers and relays for them",
  builder: options,
  handler: async (argv) => {
    const { runCommand } = await import("../src/daemon/command.ts");
    await runCommand(argv, async (context) => {
      const { runRendezvous } = await import("../src/daemon/rendezvous-process.ts");
      await runRendezvous(argv, context);
    });
  },
};
