// The machine's identity on disk, made on first run. Processes that start together on a fresh machine agree on one.

import { join } from "node:path";
import { createIdentity, type Identity, identityFromSecretKey } from "../crypto/identity.ts";
import { systemRandom } from "../io/system-random.ts";
import { createSecretFile, damaged, readSecretFile, type SecretFile } from "./secret-file.ts";
import { makeStateDirectory } from "./state-directory.ts";

/** An agent and a rendezvous on one machine are two, each with an identity of its own. */
export type IdentityRole = "agent" | "rendezvous";

const FILE_NAMES: Readonly<Record<IdentityRole, string>> = { agent: "identity", rendezvous: "rendezvous-identity" };

/** @returns the identity of this state directory; a fresh one on first run. @throws OperatingError */
export function loadIdentity(stateDirectory: string, role: IdentityRole = "agent"): Identity {
  const file: SecretFile = {
    path: join(stateDirectory, FILE_NAMES[role]),
    label: "tunnel-identity-1",
    comment: "The secret identity of this machine for tunnel. Whoever has it can pose as this machine.",
  };
  const known = read(file);
  if (known !== undefined) return known;
  makeStateDirectory(stateDirectory);
  const fresh = createIdentity(systemRandom);
  if (createSecretFile(file, fresh.secretKey)) return fresh;
  // Another process was faster, and its identity is the machine's.
  const winner = read(file);
  if (winner === undefined) throw damaged(file);
  return winner;
}

function read(file: SecretFile): Identity | undefined {
  const secretKey = readSecretFile(file);
  if (secretKey === undefined) return undefined;
  const identity = identityFromSecretKey(secretKey);
  if (identity === undefined) throw damaged(file);
  return identity;
}
