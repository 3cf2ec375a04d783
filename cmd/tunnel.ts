#!/usr/bin/env node

// The program. What is asked for the most by scripts and costs nothing, its version, is told without loading the rest.

import { prepareProcess } from "../src/daemon/process-start.ts";
import { programVersion } from "../src/daemon/program-version.ts";

const args = process.argv.slice(2);
// Seen from dist/cmd.
const version = programVersion(new URL("../../package.json", import.meta.url));
if (args.length === 1 && args[0] === "--version") {
  console.log(version);
} else {
  prepareProcess();
  const { runCommandLine } = await import("./command-line.ts");
  await runCommandLine(args, version);
}
