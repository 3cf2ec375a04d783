// Real servers and clients, as they come with the system, for one test: found, started, and ended with it.

import { accessSync, chownSync, constants, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import type { TestContext } from "node:test";
import { LabProcess } from "../lab/lab-process.ts";

/** Where Debian keeps PostgreSQL's programs, a folder for each version. */
const POSTGRESQL = "/usr/lib/postgresql";
const STOP_LIMIT_MS = 5000;

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function folders(): string[] {
  let versions: string[] = [];
  try {
    versions = readdirSync(POSTGRESQL).sort((a, b) => Number(b) - Number(a));
  } catch {
    // It is not installed, or not from Debian's packages.
  }
  const postgresql = versions.map((version) => join(POSTGRESQL, version, "bin"));
  return [...postgresql, ...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/sbin"];
}

function pathOf(name: string): string | undefined {
  return folders()
    .map((folder) => join(folder, name))
    .find(isProgram);
}

/** @returns why a test that needs these programs has to be left out, or false. */
export function lacking(debianPackage: string, ...names: readonly string[]): string | false {
  const missing = names.filter((name) => pathOf(name) === undefined);
  return missing.length > 0 && `${missing.join(", ")} missing; on Debian: apt-get install ${debianPackage}`;
}

/** The name, user id and group id of an account (passwd(5)). */
function account(name: string): { readonly uid: number; readonly gid: number } {
  const line = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .find((each) => each.startsWith(`${name}:`));
  const [, , uid, gid] = (line ?? "").split(":");
  if (uid === undefined || gid === undefined) throw new Error(`there is no account ${name} on this machine`);
  return { uid: Number(uid), gid: Number(gid) };
}

export class AppPrograms {
  /** Removed when the test is over and its programs have ended. */
  readonly folder: string;
  /** Words before a command, which make it run under the account that was asked for. */
  private readonly under: readonly string[];
  private readonly started: { readonly program: LabProcess; readonly endBy: NodeJS.Signals }[] = [];

  /** @param user the account to run under where this is root, for programs that refuse to be root */
  constructor(t: TestContext, user?: string) {
    this.folder = mkdtempSync(join(tmpdir(), "tunnel-apps-"));
    this.under = [];
    if (user !== undefined && process.getuid?.() === 0) {
      const { uid, gid } = account(user);
      chownSync(this.folder, uid, gid);
      this.under = ["setpriv", `--reuid=${uid}`, `--regid=${gid}`, "--clear-groups", "--"];
    }
    t.after(async () => {
      for (const { program, endBy } of this.started.reverse()) {
        await program.stop(endBy, STOP_LIMIT_MS).catch(() => program.stop("SIGKILL"));
      }
      rmSync(this.folder, { recursive: true, force: true });
    });
  }

  /**
   * @param argv the program by its name or its path, and its words
   * @param endBy the signal that makes it end at once and in order
   */
  start(argv: readonly string[], endBy: NodeJS.Signals = "SIGTERM"): LabProcess {
    const [name = "", ...words] = argv;
    const command = [...this.under, pathOf(name) ?? name, ...words];
    const program = new LabProcess(name, command, { cwd: this.folder, env: { HOME: this.folder, LC_ALL: "C.UTF-8" } });
    this.started.push({ program, endBy });
    return program;
  }

  /** Runs a program to its end. @returns what it wrote on stdout. @throws where its exit code is not 0. */
  async run(argv: readonly string[], input: string | Uint8Array = ""): Promise<string> {
    const program = this.start(argv);
    program.write(input);
    program.endInput();
    const { code, stdout, stderr } = await program.ended;
    if (code !== 0) throw new Error(`${argv.join(" ")}: exit code ${code}: ${stderr}`);
    return stdout;
  }
}
