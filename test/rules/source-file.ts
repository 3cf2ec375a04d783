// What the rules look at: the files of the repository as a list of paths and texts, and their code apart from its
// comments and strings. A rule is a function over such a list, so that it can be shown bad input that no file holds.

import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";

export interface SourceFile {
  /** From the repository's root, with forward slashes. */
  readonly path: string;
  readonly text: string;
}

/** What a rule found: where, and a sentence that says what to do. */
export interface Violation {
  readonly path: string;
  readonly message: string;
}

/** The repository's root; compiled tests run from dist/test/rules. */
export const repositoryRoot = fileURLToPath(new URL("../../../", import.meta.url));

const NOT_OURS = new Set(["node_modules", "dist", ".git"]);

function walk(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (NOT_OURS.has(entry.name) || entry.name.endsWith(".log")) return [];
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return walk(path);
    return entry.isFile() ? [path] : [];
  });
}

let tree: readonly SourceFile[] | undefined;

/** Every file of the repository that is not ignored. */
export function readTree(): readonly SourceFile[] {
  tree ??= walk(repositoryRoot)
    .sort()
    .map((path) => ({ path: relative(repositoryRoot, path), text: readFileSync(path, "utf8") }));
  return tree;
}

/** @returns whether the path is a source of the program, its tests or its scripts in TypeScript. */
export const isTypeScript = (path: string): boolean => /^(cmd|src|test|scripts)\/.*\.ts$/.test(path);

/** One violation a line, for the message of a failed assertion. */
export function listed(violations: readonly Violation[]): string {
  return violations.map((violation) => `${violation.path}: ${violation.message}`).join("\n");
}

/** A slash begins a regular expression behind these, and divides behind everything else. */
const BEFORE_REGULAR_EXPRESSION =
  /(?:^|[(,=:[!&|?{};+\-*%~^<>]|\b(?:return|typeof|case|in|of|do|else|void|await|yield))$/;

/**
 * Replaces comments, and what stands between the quotes of strings and the slashes of regular expressions, by spaces.
 * Line breaks stay, so that offsets and lines are those of the original. The code inside `${}` stays code.
 */
export function codeOf(text: string): string {
  const out: string[] = [];
  // One entry for each template literal that is open: how many braces are open in its current `${}`.
  const templates: number[] = [];
  let at = 0;
  let significant = "";
  const keep = (count: number): void => {
    const kept = text.slice(at, at + count);
    out.push(kept);
    if (kept.trim() !== "") significant = (significant + kept).slice(-12);
    else if (significant !== "") significant = `${significant} `.slice(-12);
    at += count;
  };
  const blank = (end: number): void => {
    out.push(text.slice(at, end).replace(/[^\n]/g, " "));
    at = end;
  };
  const endOfQuoted = (quote: string): number => {
    let end = at;
    let inClass = false;
    while (end < text.length) {
      const c = text[end];
      if (c === "\\") end++;
      else if (quote === "/" && c === "[") inClass = true;
      else if (quote === "/" && c === "]") inClass = false;
      else if (c === quote && !inClass) break;
      else if (quote !== "`" && c === "\n") break;
      else if (quote === "`" && c === "$" && text[end + 1] === "{") break;
      end++;
    }
    return Math.min(end, text.length);
  };
  const template = (): void => {
    blank(endOfQuoted("`"));
    if (text[at] === "$") {
      templates.push(0);
      keep(2);
    } else {
      keep(1);
    }
  };
  while (at < text.length) {
    const c = text[at] as string;
    const two = text.slice(at, at + 2);
    if (two === "//") {
      const end = text.indexOf("\n", at);
      blank(end < 0 ? text.length : end);
    } else if (two === "/*") {
      const end = text.indexOf("*/", at + 2);
      blank(end < 0 ? text.length : end + 2);
    } else if (c === '"' || c === "'" || (c === "/" && BEFORE_REGULAR_EXPRESSION.test(significant.trimEnd()))) {
      keep(1);
      blank(endOfQuoted(c));
      keep(1);
    } else if (c === "`") {
      keep(1);
      template();
    } else if (c === "{" && templates.length > 0) {
      templates.push((templates.pop() as number) + 1);
      keep(1);
    } else if (c === "}" && templates.length > 0) {
      const open = templates.pop() as number;
      keep(1);
      if (open > 0) templates.push(open - 1);
      else template();
    } else {
      keep(1);
    }
  }
  return out.join("");
}

/** @returns the line, from 1, at which `offset` stands. */
export function lineOf(text: string, offset: number): number {
  return text.slice(0, offset).split("\n").length;
}
