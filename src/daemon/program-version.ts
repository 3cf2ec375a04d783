// The version of the program, from the manifest that it was installed with.

import { readFileSync } from "node:fs";

/** @returns "1.2.3". */
export function programVersion(): string {
  // Seen from dist/src/daemon.
  const manifest: unknown = JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8"));
  return (manifest as { version: string }).version;
}
