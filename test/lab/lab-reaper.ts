// Clears a lab away, whatever happens to the test: a shell of its own that is told each namespace before it is made and
// does its work when its input ends, which it also does when the test is killed. It ends the processes inside those
// namespaces, by their ids, and removes the namespaces; nothing else is ever touched.

import { spawn } from "node:child_process";
import { once } from "node:events";

const SCRIPT = `
trap '' HUP INT TERM
names= folders=
while read -r what value; do
  case $what in
    namespace) names="$names $value" ;;
    folder) folders="$folders $value" ;;
  esac
done
for name in $names; do
  [ -e "/run/netns/$name" ] || continue
  for round in 1 2 3; do
    pids=$(ip netns pids "$name")
    [ -n "$pids" ] || break
    kill -9 $pids
  done
  ip netns delete "$name"
done
for folder in $folders; do rm -rf "$folder"; done
`;

export class LabReaper {
  // Detached, so that Ctrl-C in a terminal ends the test and not the one who cleans up behind it.
  private readonly shell = spawn("sh", ["-c", SCRIPT], { stdio: ["pipe", "ignore", "ignore"], detached: true });

  constructor() {
    this.shell.unref();
  }

  /** Names a namespace that is about to be made. */
  namespace(name: string): void {
    this.shell.stdin.write(`namespace ${name}\n`);
  }

  /** Names a folder that is to be removed with all that is in it. */
  folder(path: string): void {
    this.shell.stdin.write(`folder ${path}\n`);
  }

  /** Clears away now. */
  async finish(): Promise<void> {
    this.shell.ref();
    const ended = this.shell.exitCode === null ? once(this.shell, "exit") : undefined;
    this.shell.stdin.end();
    await ended;
  }
}
