// BLAKE2s (RFC 7693) with 32 bytes of output, and HMAC (RFC 2104) over it: the one hash of the protocol. Noise, the
// MACs of the handshake and everything that is derived from a secret use these two functions.

import { createHash, createHmac } from "node:crypto";

const ALGORITHM = "blake2s256";

/** node:crypto hands out a Buffer, whose `slice` is a view and not a copy; nothing above shall meet one. */
const plain = (buffer: Buffer): Uint8Array => new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length);

/** @param parts bytes, or text that is taken as UTF-8, one behind the other. @returns 32 bytes. */
export function blake2s(...parts: readonly (Uint8Array | string)[]): Uint8Array {
  const hash = createHash(ALGORITHM);
  for (const part of parts) hash.update(part);
  return plain(hash.digest());
}

/** @param key of any length. @param parts as for `blake2s`. @returns 32 bytes. */
export function hmacBlake2s(key: Uint8Array, ...parts: readonly (Uint8Array | string)[]): Uint8Array {
  const hmac = createHmac(ALGORITHM, key);
  for (const part of parts) hmac.update(part);
  return plain(hmac.digest());
}
