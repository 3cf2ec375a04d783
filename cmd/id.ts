// tunnel id

import type { CommandModule, InferredOptionTypes } from "yargs";
import { jsonOption, logLevelOption } from "./shared-option.ts";

const options = { json: jsonOption, "log-level": logLevelOption } as const;

export const idCommand: CommandModule<object, InferredOptionTypes<typeof options>> = {
  command: "id",
  describe: "Print this machine's peer id",
  builder: options,
  handler: async (argv) => {
    const { runCommand } = await import("../src/daemon/command.ts");
    await runCommand(argv, async (context) => {
      const { runId } = await import("../src/daemon/identity-command.ts");
      await runId(context);
    });
  },
};
