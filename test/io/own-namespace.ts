// A guard for programs that change the network they run in: it has to be a namespace that was made for them, in which nothing is up.

import { networkInterfaces } from "node:os";

/** Ends the program, with a message, in a network that somebody uses. */
export function requireOwnNamespace(): void {
  const names = Object.keys(networkInterfaces());
  if (names.length === 0) return;
  process.stderr.write(`This changes the network, and ${names.join(", ")} is in use: run it by \`unshare -Urn\`.\n`);
  process.exit(1);
}
