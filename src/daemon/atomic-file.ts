// Files that appear whole or not at all, on disk before they have their name. Two processes that start together may both want
// to make the same file: the first one's stands, and the other learns that it does.

import { closeSync, fsyncSync, linkSync, openSync, renameSync, unlinkSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { encodeBase32 } from "../base/base32.ts";
import { randomBytes } from "../base/random.ts";
import { systemRandom } from "../io/system-random.ts";
import { systemCode } from "./usage-error.ts";

/** Makes the file with mode 0600. @returns false where it exists already, and is left as it is. @throws the system's error. */
export function createFile(path: string, content: string): boolean {
  const temporary = writeTemporary(path, content);
  try {
    // A link fails where the name is taken, which a rename would not.
    linkSync(temporary, path);
  } catch (error) {
    if (systemCode(error) === "EEXIST") return false;
    if (!isWithoutLinks(error)) throw error;
    return createWithoutLinks(path, content);
  } finally {
    unlinkSync(temporary);
  }
  syncDirectory(path);
  return true;
}

/** Makes the file with mode 0600, in the place of one that may be there. @throws the system's error. */
export function replaceFile(path: string, content: string): void {
  const temporary = writeTemporary(path, content);
  try {
    renameSync(temporary, path);
  } catch (error) {
    unlinkSync(temporary);
    throw error;
  }
  syncDirectory(path);
}

function writeTemporary(path: string, content: string): string {
  const suffix = encodeBase32(randomBytes(systemRandom, 10));
  const temporary = join(dirname(path), `.${basename(path)}.${suffix}`);
  writeSynced(temporary, content);
  return temporary;
}

function writeSynced(path: string, content: string): void {
  const descriptor = openSync(path, "wx", 0o600);
  try {
    writeFileSync(descriptor, content);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** File systems that know no hard links: FAT, some network mounts. */
function isWithoutLinks(error: unknown): boolean {
  return ["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"].includes(systemCode(error) ?? "");
}

/** Whoever opens first makes it; another process could see it half written for a moment, and then says that it is damaged. */
function createWithoutLinks(path: string, content: string): boolean {
  try {
    writeSynced(path, content);
    return true;
  } catch (error) {
    if (systemCode(error) === "EEXIST") return false;
    throw error;
  }
}

/** The name has to survive a power cut as well as the content. Not every system lets a directory be opened for that. */
function syncDirectory(path: string): void {
  if (process.platform === "win32") return;
  const descriptor = openSync(dirname(path), "r");
  try {
    fsyncSync(descriptor);
  } catch (error) {
    if (systemCode(error) !== "EINVAL") throw error;
  } finally {
    closeSync(descriptor);
  }
}
