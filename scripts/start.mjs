// `npm start`: installs and builds what is missing, then becomes the program: without arguments the demo, with
// arguments (`npm start -- expose 3000`) whatever they say. Input, output, signals and the exit code are the program's.

import { spawn } from "node:child_process";
import { join } from "node:path";
import { fail, prepare, root } from "./prepare.mjs";

prepare();

const given = process.argv.slice(2);
const program = join(root, "dist", "cmd", "tunnel.js");
const child = spawn(process.execPath, [program, ...(given.length > 0 ? given : ["demo"])], { stdio: "inherit" });

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR2"]) {
  process.on(signal, () => {
    // A terminal sends Ctrl-C and Ctrl-\ to every process in the foreground, so the child has had its own; a second one
    // would read as impatience.
    const fromTerminal = process.stdin.isTTY && (signal === "SIGINT" || signal === "SIGQUIT");
    if (!fromTerminal) child.kill(signal);
  });
}

child.on("error", (error) => fail(`The program could not be started: ${error.message}`));
child.on("exit", (code, signal) => {
  if (signal === null) process.exit(code);
  // Dies of the same signal, so that a supervisor sees what happened.
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
});
