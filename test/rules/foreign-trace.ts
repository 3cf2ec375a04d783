// What belongs to one machine and got into a file: a path of the machine it was written on, or the host of a package
// registry, which would tie every installation to that registry.

import { lineOf, type SourceFile, type Violation } from "./source-file.ts";

// Put together from parts, so that this file does not hold what it looks for.
const slash = "/";
/** Homes of nobody in particular, as examples have them. */
const EXAMPLE_HOME = "(?!(?:a|me|pi|user)/)";
const MACHINE_PATHS = ["work", "root", `home${slash}${EXAMPLE_HOME}\\w+`, "Users", "tmp/bash_jobs"].map(
  (path) => `${slash}${path}${slash}`,
);
const REGISTRIES = [
  ["registry", "npmjs", "org"],
  ["registry", "yarnpkg", "com"],
  ["npm", "pkg", "github", "com"],
  ["registry", "npmmirror", "com"],
  ["deb", "debian", "org"],
].map((parts) => parts.join("\\."));

const BANS: readonly { readonly pattern: RegExp; readonly what: string }[] = [
  { pattern: new RegExp(`(?<![\\w.~})-])(?:${MACHINE_PATHS.join("|")})`, "g"), what: "a path of one machine" },
  { pattern: new RegExp(REGISTRIES.join("|"), "g"), what: "the host of a registry" },
  { pattern: /"resolved": "https?:/g, what: "the address of a downloaded package" },
];

/** @returns every trace of one machine or one registry. */
export function traceViolations(files: readonly SourceFile[]): Violation[] {
  return files.flatMap(({ path, text }) =>
    BANS.flatMap(({ pattern, what }) =>
      [...text.matchAll(pattern)].map((match) => ({
        path,
        message: `line ${lineOf(text, match.index)}: ${match[0]} is ${what}`,
      })),
    ),
  );
}
