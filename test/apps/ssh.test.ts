// OpenSSH: a command with its output and exit code, a terminal, and files both ways.

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "../cmd/deployment.ts";
import { AppPrograms, lacking } from "./app-programs.ts";
import { tunnelTo } from "./app-tunnel.ts";
import { SshSetup } from "./ssh-setup.ts";

const skip = lacking("openssh-server openssh-client", "sshd", "ssh", "scp", "sftp", "ssh-keygen");
const TIMEOUT_MS = 20_000;
const FILE_BYTES = 20_000_000;

interface Shell {
  readonly programs: AppPrograms;
  /** What scp and sftp call the other side. */
  readonly place: string;
  readonly options: readonly string[];
  readonly ssh: readonly string[];
}

async function startSsh(t: TestContext): Promise<Shell> {
  const programs = new AppPrograms(t);
  const port = await freePort();
  const setup = new SshSetup(programs.folder, port);
  const server = programs.start(setup.server);
  await server.waitForLine(/listening on 0\.0\.0\.0/, TIMEOUT_MS);
  const options = [...setup.options, "-o", `Port=${await tunnelTo(t, port)}`];
  const place = `${setup.user}@127.0.0.1`;
  return { programs, place, options, ssh: ["ssh", ...options, place] };
}

const sha256 = (path: string): string => createHash("sha256").update(readFileSync(path)).digest("hex");

test("SSH through the tunnel", { skip }, async (t) => {
  const { programs, place, options, ssh } = await startSsh(t);
  await t.test("a command has its input, both its outputs and its exit code", async () => {
    const command = programs.start([...ssh, "sed s/question/answer/; echo trouble >&2; exit 7"]);
    command.write("the question\n");
    command.endInput();
    const { code, stdout, stderr } = await command.ended;
    assert.equal(code, 7);
    assert.equal(stdout, "the answer");
    assert.match(stderr, /^trouble$/m);
  });

  await t.test("a terminal echoes what is typed, outlives a silence, and its Ctrl-C interrupts", async () => {
    const terminal = programs.start([...ssh, "-tt", "PS1= exec sh"]);
    terminal.write("tty\n");
    await terminal.waitForLine(/^\/dev\/pts\/\d+\s*$/, TIMEOUT_MS);
    // Meanwhile the connection moves from the relay to the direct path.
    await sleep(700);
    terminal.write("echo $((6 * 7))\n");
    await terminal.waitForLine(/^echo \$\(\(6 \* 7\)\)\s*$/, TIMEOUT_MS);
    await terminal.waitForLine(/^42\s*$/, TIMEOUT_MS);
    // Who says "waiting" is who is interrupted: a Ctrl-C between two commands of the shell would stop neither.
    terminal.write("trap 'echo interrupted' INT; sh -c 'echo waiting; exec sleep 1000'; echo code $?\n");
    await terminal.waitForLine(/^waiting\s*$/, TIMEOUT_MS);
    terminal.write("\x03");
    await terminal.waitForLine(/interrupted\s*$/, TIMEOUT_MS);
    await terminal.waitForLine(/^code 130\s*$/, TIMEOUT_MS);
    terminal.write("exit 3\n");
    assert.equal((await terminal.ended).code, 3);
  });

  await t.test("scp and sftp bring a file of 20 MB there and back as it was", async () => {
    const [original, there, back] = ["original", "there", "back"].map((name) => join(programs.folder, name)) as [
      string,
      string,
      string,
    ];
    writeFileSync(original, randomBytes(FILE_BYTES));
    await programs.run(["scp", "-q", ...options, original, `${place}:${there}`]);
    assert.equal(sha256(there), sha256(original));
    await programs.run(["sftp", "-q", ...options, "-b", "-", place], `get ${there} ${back}\n`);
    assert.equal(sha256(back), sha256(original));
  });
});
