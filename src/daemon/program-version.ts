// The version of the program, from the manifest that it was installed with.

import { readFileSync } from "node:fs";

/** @param manifest where the program's package.json is. @returns "1.2.3". */
export function programVersion(manifest: URL): string {
  return (JSON.parse(readFileSync(manifest, "utf8")) as { version: string }).version;
}
