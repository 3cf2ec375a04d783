// tunnel demo

import type { CommandModule, InferredOptionTypes } from "yargs";
import { jsonOption, logLevelOption } from "./shared-option.ts";

const options = { json: jsonOption, "log-level": logLevelOption } as const;

export const demoCommand: CommandModule<object, InferredOptionTypes<typeof options>> = {
  command: "demo",
  describe: "Show it all on this machine: rendezvous, expose and connect, over the relay and directly",
  builder: options,
  handler: async (argv) => {
    const { runCommand } = await import("../src/daemon/command.ts");
    await runCommand(argv, async (context) => {
      const { runDemo } = await import("../src/daemon/demo-process.ts");
      await runDemo(context);
    });
  },
};
