// A file with one secret in it: a comment for the person who finds it, then a line of a label and the secret in base32.
// One that is damaged, or that others can read, is refused with the command that mends it. It is never replaced silently:
// a machine that loses its identity becomes a stranger to everybody who knows it.

import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { decodeBase32, encodeBase32 } from "../base/base32.ts";
import { createFile, replaceFile } from "./atomic-file.ts";
import { stateError } from "./state-directory.ts";
import { OperatingError, systemCode } from "./usage-error.ts";

export interface SecretFile {
  readonly path: string;
  /** What the line begins with: the kind of secret and the version of the format. */
  readonly label: string;
  /** One line that tells a person what this is. */
  readonly comment: string;
}

/** No file of ours comes near; whatever is longer is something else. */
const FILE_BYTES_MAX = 4096;

/** @returns the secret, or undefined where there is no file. @throws OperatingError where there is one that cannot be used. */
export function readSecretFile(file: SecretFile): Uint8Array | undefined {
  const text = readPrivate(file.path);
  if (text === undefined) return undefined;
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  const [label, encoded] = (lines[0] ?? "").split(" ");
  const secret = lines.length === 1 && label === file.label ? decodeBase32(encoded ?? "") : undefined;
  if (secret === undefined) throw damaged(file);
  return secret;
}

/** @returns false where the file exists already. @throws OperatingError */
export function createSecretFile(file: SecretFile, secret: Uint8Array): boolean {
  try {
    return createFile(file.path, contentOf(file, secret));
  } catch (error) {
    throw stateError(file.path, error);
  }
}

/** @throws OperatingError */
export function replaceSecretFile(file: SecretFile, secret: Uint8Array): void {
  try {
    replaceFile(file.path, contentOf(file, secret));
  } catch (error) {
    throw stateError(file.path, error);
  }
}

/** @returns what to tell a person whose file does not hold what it should. */
export function damaged(file: SecretFile): OperatingError {
  return new OperatingError(
    "state-damaged",
    `${file.path} is damaged: expected one line "${file.label} …". Restore it from a backup, or move it away to have a new one made.`,
  );
}

function contentOf(file: SecretFile, secret: Uint8Array): string {
  return `# ${file.comment}\n${file.label} ${encodeBase32(secret)}\n`;
}

function readPrivate(path: string): string | undefined {
  let descriptor: number;
  try {
    descriptor = openSync(path, constants.O_RDONLY);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    throw stateError(path, error);
  }
  try {
    const status = fstatSync(descriptor);
    if (!status.isFile()) throw Object.assign(new Error("it is no file"), { code: "EISDIR" });
    const { mode } = status;
    if (process.platform !== "win32" && (mode & 0o077) !== 0) throw tooOpen(path, mode);
    const bytes = Buffer.alloc(FILE_BYTES_MAX);
    return bytes.toString("utf8", 0, readSync(descriptor, bytes));
  } catch (error) {
    throw error instanceof OperatingError ? error : stateError(path, error);
  } finally {
    closeSync(descriptor);
  }
}

function tooOpen(path: string, mode: number): OperatingError {
  const octal = (mode & 0o777).toString(8).padStart(4, "0");
  return new OperatingError(
    "state-permissions",
    `${path} holds a secret and others can use it (mode ${octal}, expected 0600). If nobody has copied it, run: chmod 600 ${path}`,
  );
}
