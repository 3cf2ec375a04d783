// A document that names what does not exist is worse than none: every link to a file, every path, every npm script,
// every command, option and environment variable of ours that a Markdown file names has to be there.

import { posix } from "node:path";
import { lineOf, type SourceFile, type Violation } from "./source-file.ts";

interface Reference {
  readonly offset: number;
  readonly name: string;
  readonly exists: boolean;
}

function links(document: SourceFile, places: ReadonlySet<string>): Reference[] {
  return [...document.text.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)]
    .filter((match) => !/^[a-z]+:/.test(match[1] as string))
    .map((match) => ({
      offset: match.index,
      name: match[1] as string,
      exists: places.has(posix.join(posix.dirname(document.path), match[1] as string).replace(/\/$/, "")),
    }));
}

function paths(document: SourceFile, places: ReadonlySet<string>): Reference[] {
  const pattern = /(?<![\w./-])((?:\.ci|cmd|src|test|scripts|systemd)\/[\w./-]*[\w/])/g;
  return [...document.text.matchAll(pattern)].map((match) => ({
    offset: match.index,
    name: match[1] as string,
    exists: places.has((match[1] as string).replace(/\/$/, "")),
  }));
}

function npmScripts(document: SourceFile, scripts: ReadonlySet<string>): Reference[] {
  return [...document.text.matchAll(/\bnpm (?:run ([\w:-]+)|(start|test)\b)/g)].map((match) => ({
    offset: match.index,
    name: match[0],
    exists: scripts.has((match[1] ?? match[2]) as string),
  }));
}

/** Lines in code blocks that call our program: `tunnel expose 3000 --json`, behind a prompt or `npx` or not. */
function calls(document: SourceFile, program: string): Reference[] {
  const lines = /^[ \t]*(?:[\w-]*[$#] +)?(?:sudo )?(?:[A-Z_]+=\S+ )*(?:npx )?tunnel((?: +[^\s#|>]+)+)/gm;
  const said = (word: string): boolean => new RegExp(`["'\`]${word}(?:["'\` ]|$)`, "m").test(program);
  return [...document.text.matchAll(lines)].flatMap((match) => {
    const words = (match[1] as string).trim().split(/ +/);
    const command = /^[a-z][a-z-]*$/.test(words[0] as string) ? [words[0] as string] : [];
    const options = words.filter((word) => /^--[a-z]/.test(word)).map((word) => word.slice(2).replace(/=.*/, ""));
    return [...command, ...options].map((word) => ({
      offset: match.index,
      name: `tunnel … ${word}`,
      exists: said(word),
    }));
  });
}

function variables(document: SourceFile, program: string): Reference[] {
  return [...document.text.matchAll(/\bTUNNEL_[A-Z_]+\b/g)].map((match) => ({
    offset: match.index,
    name: match[0],
    exists: program.includes(match[0]),
  }));
}

/** @returns everything that a Markdown file names and that is not there. */
export function referenceViolations(files: readonly SourceFile[]): Violation[] {
  const places = new Set(
    files.flatMap(({ path }) => path.split("/").map((_, i, parts) => parts.slice(0, i + 1).join("/"))),
  );
  const manifest: unknown = JSON.parse(files.find((file) => file.path === "package.json")?.text ?? "{}");
  const scripts = new Set(Object.keys((manifest as { scripts?: Record<string, string> }).scripts ?? {}));
  const program = files
    .filter((file) => /^(cmd|src)\/.*\.ts$/.test(file.path))
    .map((file) => file.text)
    .join("\n");
  return files
    .filter((file) => file.path.endsWith(".md"))
    .flatMap((document) =>
      [
        ...links(document, places),
        ...paths(document, places),
        ...npmScripts(document, scripts),
        ...calls(document, program),
        ...variables(document, program),
      ]
        .filter((reference) => !reference.exists)
        .map(({ offset, name }) => ({
          path: document.path,
          message: `line ${lineOf(document.text, offset)}: ${name} does not exist`,
        })),
    );
}
