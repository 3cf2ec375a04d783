// Where a machine keeps what has to outlive a process: its identity, the keys of rendezvous it has met, the secrets of the
// services that it exposes. Everything in it is the user's alone.

import { mkdirSync } from "node:fs";
import { homedir } from "node:os";
import { isAbsolute, join, resolve } from "node:path";
import { OperatingError, systemCode } from "./usage-error.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/** For a process that has no home: a system service. */
const SERVICE_DIRECTORY = "/var/lib/tunnel";

/** @returns TUNNEL_STATE_DIR, or systemd's StateDirectory, or XDG's, or the one of a service; it need not exist yet. */
export function stateDirectoryPath(env: Environment = process.env): string {
  if (env.TUNNEL_STATE_DIR) return resolve(env.TUNNEL_STATE_DIR);
  // systemd.exec(5): several directories are separated by colons, and the first is ours.
  const service = env.STATE_DIRECTORY?.split(":")[0];
  if (service) return service;
  // The XDG base directory specification has relative paths ignored.
  if (env.XDG_STATE_HOME && isAbsolute(env.XDG_STATE_HOME)) return join(env.XDG_STATE_HOME, "tunnel");
  const home = env.HOME || homedir();
  return home === "" || home === "/" ? SERVICE_DIRECTORY : join(home, ".local", "state", "tunnel");
}

/** Makes the directory, for its owner alone, where it does not exist. @throws OperatingError */
export function makeStateDirectory(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw stateError(path, error);
  }
}

/** @returns what to tell a person about a file or directory below the state directory that cannot be used. */
export function stateError(path: string, error: unknown): OperatingError {
  return new OperatingError(
    "state-directory",
    `cannot use ${path}: ${fileErrorReason(error)}. ${remedyOf(error)}, or name another directory in TUNNEL_STATE_DIR.`,
  );
}

function remedyOf(error: unknown): string {
  const code = systemCode(error);
  if (code === "ENOSPC" || code === "EDQUOT") return "Make room on it";
  return code === "EROFS" ? "Mount it for writing" : "Make it readable and writable for this user";
}

/** @returns what the system said of a file, in words. */
export function fileErrorReason(error: unknown): string {
  switch (systemCode(error)) {
    case "EACCES":
    case "EPERM":
      return "permission denied";
    case "ENOENT":
      return "there is no such file or directory";
    case "EROFS":
      return "the file system is read-only";
    case "ENOSPC":
      return "the disk is full";
    case "EDQUOT":
      return "this user's share of the disk is full";
    case "ENOTDIR":
    case "EEXIST":
      return "a part of its path is a file, not a directory";
    case "EISDIR":
      return "it is a directory, not a file";
    default:
      return error instanceof Error ? error.message : String(error);
  }
}
