// tweetnacl, loaded when it is first needed: a process that reads its identity from disk and meets no cookie never
// does. `import` of it parses the whole of it once more in search of its exports, which took longer than everything
// else in this folder together.

import { createRequire } from "node:module";
import type nacl from "tweetnacl";

let loaded: typeof nacl | undefined;

/** @returns the library. */
export function tweetnacl(): typeof nacl {
  loaded ??= createRequire(import.meta.url)("tweetnacl") as typeof nacl;
  return loaded;
}
