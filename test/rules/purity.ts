// The pure layers are state machines: time, randomness and the network come in as arguments. What would bring
// one of them in behind the caller's back is banned by name, wherever it stands in code.

import { layerOf, pureLayers } from "./layering.ts";
import { importsOf } from "./module-import.ts";
import { codeOf, isTypeScript, lineOf, type SourceFile, type Violation } from "./source-file.ts";

interface Ban {
  readonly pattern: RegExp;
  readonly instead: string;
}

const BANS: readonly Ban[] = [
  { pattern: /\b(?:Date|performance|Temporal)\b|\bhrtime\b/g, instead: "take nowMs from the caller" },
  {
    pattern: /\bMath\s*\.\s*random\b|\b(?:getRandomValues|randomUUID)\s*\(/g,
    instead: "take a Random from the caller",
  },
  { pattern: /\bnacl\s*\.\s*randomBytes\b|\.\s*keyPair\s*\(\s*\)/g, instead: "take a Random from the caller" },
  {
    pattern: /\b(?:setTimeout|setInterval|setImmediate|queueMicrotask|nextTick|requestAnimationFrame)\b/g,
    instead: "keep the deadline in a timer table and report it by pollTimeout",
  },
  { pattern: /\b(?:Promise|PromiseLike|async|await)\b|\.\s*then\s*\(/g, instead: "return events by pollEvent" },
  {
    pattern: /\b(?:EventEmitter|EventTarget|addEventListener|MessageChannel|MessagePort|BroadcastChannel|Worker)\b/g,
    instead: "return events by pollEvent",
  },
  {
    pattern: /\b(?:fetch|WebSocket|XMLHttpRequest|createSocket|createConnection|createServer)\b(?=\s*\()/g,
    instead: "hand datagrams out by pollTransmit",
  },
  { pattern: /\bprocess(?=\s*[.[?])|\bconsole\b|\bglobalThis\b/g, instead: "take what is needed from the caller" },
];

/** Names that node:crypto exports and that draw randomness. */
const RANDOM_EXPORT = /\b(?:random|generateKey|generatePrime|getRandomValues|webcrypto|subtle|default)|\*|^[\w$]+$/;

const isPure = (path: string): boolean => (pureLayers as readonly string[]).includes(layerOf(path) ?? "");

/** Whether `name: value` stands there, or `.name`: a property of ours, which may be called what it likes. */
function isProperty(code: string, start: number, end: number): boolean {
  const before = code.slice(0, start).trimEnd().at(-1) ?? "";
  return before === "." || (before !== "?" && /^\??\s*:/.test(code.slice(end, end + 8)));
}

function bannedNames(file: SourceFile): Violation[] {
  const code = codeOf(file.text);
  return BANS.flatMap(({ pattern, instead }) =>
    [...code.matchAll(pattern)].flatMap((match) => {
      const isName = /^\w+$/.test(match[0]);
      if (isName && isProperty(code, match.index, match.index + match[0].length)) return [];
      const what = match[0].replace(/\s+/g, "");
      return [{ path: file.path, message: `line ${lineOf(code, match.index)}: ${what} in a pure layer; ${instead}` }];
    }),
  );
}

function randomImports(file: SourceFile): Violation[] {
  return importsOf(file)
    .filter((item) => item.specifier === "node:crypto" && RANDOM_EXPORT.test(item.clause))
    .map((item) => ({
      path: file.path,
      message: `imports ${item.clause} from node:crypto: import by name what is needed, and no source of randomness`,
    }));
}

/** @returns every use of a clock, of randomness, of a timer, a promise, a socket or an event emitter in a pure layer. */
export function purityViolations(files: readonly SourceFile[]): Violation[] {
  return files
    .filter((file) => isPure(file.path) && isTypeScript(file.path))
    .flatMap((file) => [...bannedNames(file), ...randomImports(file)]);
}
