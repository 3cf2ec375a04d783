// How a file looks from outside: a noun in kebab-case for a name, a paragraph of comment on top, and a length that one
// can read at a sitting.

import type { SourceFile, Violation } from "./source-file.ts";

/** Lines that a file may have. */
export const LINES_MAX = 400;

/** Names that say nothing about what is inside. */
const EMPTY_WORDS = new Set(["util", "utils", "helper", "helpers", "common", "misc", "types"]);

const isCode = (path: string): boolean =>
  /^(cmd|src|test|scripts)\/.*\.(ts|mjs|js|sh)$/.test(path) || path === ".ci/run";

/** @returns every file and folder name that is not kebab-case, or is a word that would fit any file. */
export function nameViolations(files: readonly SourceFile[]): Violation[] {
  return files
    .filter((file) => isCode(file.path))
    .flatMap(({ path }) => {
      const parts = path.replace(/^\.ci\//, "").split("/");
      const stem = (parts.at(-1) as string).replace(/(\.test)?\.\w+$/, "");
      const names = [...parts.slice(0, -1), stem];
      const crooked = names.find((name) => !/^[a-z0-9]+(-[a-z0-9]+)*$/.test(name));
      if (crooked !== undefined) return [{ path, message: `"${crooked}" is not kebab-case` }];
      if (stem === "index" || stem.split("-").some((word) => EMPTY_WORDS.has(word))) {
        return [{ path, message: "is named after no noun: name it after what it defines" }];
      }
      return [];
    });
}

/**
 * @param exceptions the files that may be longer, each with its reason
 * @returns every file that is too long, and every exception that is not needed any more
 */
export function lengthViolations(files: readonly SourceFile[], exceptions: ReadonlyMap<string, string>): Violation[] {
  const long = files.filter((file) => isCode(file.path) && file.text.trimEnd().split("\n").length > LINES_MAX);
  const unexcused = long.filter((file) => !exceptions.has(file.path));
  const stale = [...exceptions.keys()].filter((path) => !long.some((file) => file.path === path));
  return [
    ...unexcused.map(({ path }) => ({ path, message: `is longer than ${LINES_MAX} lines: it is two things` })),
    ...stale.map((path) => ({ path, message: "is not too long any more: strike it from the exceptions" })),
  ];
}

/** @returns every file that does not open with a comment saying what it is. */
export function openingViolations(files: readonly SourceFile[]): Violation[] {
  return files
    .filter((file) => isCode(file.path))
    .flatMap(({ path, text }) => {
      const opening = text.replace(/^#!.*\n/, "").trimStart();
      const comment = /^(?:\/\/(?! *biome-)|\/\*|# )[\s*]*\S/.test(opening);
      return comment ? [] : [{ path, message: "does not open with a comment that says what it is and why" }];
    });
}
