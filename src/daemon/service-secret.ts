// The secret of an exposed service's ticket, kept so that `tunnel expose 3000` prints the same ticket after every restart.
// It belongs to the service's name where one was given, else to the target; two processes that expose the same share it.

import { createHash } from "node:crypto";
import { join } from "node:path";
import { SECRET_BYTES } from "../base/limits.ts";
import { createSecret } from "../crypto/secret.ts";
import { systemRandom } from "../io/system-random.ts";
import { createSecretFile, damaged, readSecretFile, replaceSecretFile, type SecretFile } from "./secret-file.ts";
import { makeStateDirectory } from "./state-directory.ts";

/** @param service what tells this service from others of the machine. @throws OperatingError */
export function loadServiceSecret(stateDirectory: string, service: string): Uint8Array {
  const file = secretFileOf(stateDirectory, service);
  const known = read(file);
  if (known !== undefined) return known;
  makeStateDirectory(join(stateDirectory, "services"));
  const fresh = createSecret(systemRandom);
  if (createSecretFile(file, fresh)) return fresh;
  const winner = read(file);
  if (winner === undefined) throw damaged(file);
  return winner;
}

/** Forgets the secret, so that tickets given out before open nothing any more. @returns the new one. @throws OperatingError */
export function renewServiceSecret(stateDirectory: string, service: string): Uint8Array {
  makeStateDirectory(join(stateDirectory, "services"));
  const fresh = createSecret(systemRandom);
  replaceSecretFile(secretFileOf(stateDirectory, service), fresh);
  return fresh;
}

function read(file: SecretFile): Uint8Array | undefined {
  const secret = readSecretFile(file);
  if (secret !== undefined && secret.length !== SECRET_BYTES) throw damaged(file);
  return secret;
}

function secretFileOf(stateDirectory: string, service: string): SecretFile {
  // Readable for a person, and distinct for services whose readable part is the same.
  const readable = service.replaceAll(/[^A-Za-z0-9.-]+/g, "_").slice(0, 40);
  const digest = createHash("sha256").update(service).digest("hex").slice(0, 16);
  return {
    path: join(stateDirectory, "services", `${readable}-${digest}`),
    label: "tunnel-secret-1",
    comment: `The secret of the ticket for ${JSON.stringify(service)}. Whoever has it can use that service.`,
  };
}
