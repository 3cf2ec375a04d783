// Bytes that can be made anywhere from a word and checked anywhere else: a key stream, so no stretch of it repeats, and a
// byte that is lost, doubled or moved changes its hash.

import { type Cipher, createCipheriv, createHash } from "node:crypto";

const CHUNK_BYTES = 1 << 20;

export class Content {
  private readonly cipher: Cipher;

  /** Equal seeds make equal bytes. */
  constructor(seed: string) {
    const key = createHash("sha256").update(seed).digest().subarray(0, 16);
    this.cipher = createCipheriv("aes-128-ctr", key, Buffer.alloc(16));
  }

  /** @returns the next bytes. */
  next(lengthBytes: number): Buffer {
    return this.cipher.update(Buffer.alloc(lengthBytes));
  }
}

/** @returns the SHA-256, in hex, of the first bytes of a content. */
export function contentSha256(seed: string, lengthBytes: number): string {
  const content = new Content(seed);
  const hash = createHash("sha256");
  for (let left = lengthBytes; left > 0; left -= CHUNK_BYTES) hash.update(content.next(Math.min(left, CHUNK_BYTES)));
  return hash.digest("hex");
}
