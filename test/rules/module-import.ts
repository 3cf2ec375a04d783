// The imports of a file, read from its import and export statements, and from calls of import() and require().

import { posix } from "node:path";
import { codeOf, type SourceFile } from "./source-file.ts";

export interface ModuleImport {
  /** As written: "../base/address.ts", "node:crypto", "tweetnacl". */
  readonly specifier: string;
  /** The imported file from the repository's root; undefined for a package. */
  readonly file: string | undefined;
  /** What stands between `import` and `from`; empty for a bare import and a call. */
  readonly clause: string;
}

const STATEMENT =
  /\b(?:(?:import|export)\b([^"'`;]*?)\bfrom\s*|import\s*|import\s*\(\s*|(?:require|createRequire\s*\([^()]*\))\s*\(\s*)(["'`])/g;

/** @returns the imports in the order in which they stand. */
export function importsOf(file: SourceFile): ModuleImport[] {
  const code = codeOf(file.text);
  return [...code.matchAll(STATEMENT)].map((match) => {
    const start = match.index + match[0].length;
    const end = code.indexOf(match[2] as string, start);
    const specifier = file.text.slice(start, end < 0 ? undefined : end);
    const isRelative = specifier.startsWith(".");
    return {
      specifier,
      file: isRelative ? posix.join(posix.dirname(file.path), specifier) : undefined,
      clause: (match[1] ?? "").trim(),
    };
  });
}

/** @returns "ws" for "ws/lib/x.js", "@noble/curves" for "@noble/curves/ed25519.js". */
export function packageOf(specifier: string): string {
  return specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
}
