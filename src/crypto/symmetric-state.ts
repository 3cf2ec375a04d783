// The SymmetricState of the Noise Protocol Framework (revision 34, §5.2) for ChaChaPoly and BLAKE2s: a chaining key, a
// hash of everything said so far, and the key that both have led to.

import { createCipheriv, createDecipheriv } from "node:crypto";
import { TAG_BYTES } from "../base/limits.ts";
import { blake2s, hmacBlake2s } from "./blake2s.ts";

const CIPHER = "chacha20-poly1305";
/** In the patterns used here every key seals one message before the next MixKey, so the counter is always 0. */
const NONCE = new Uint8Array(12);
const ONE = Uint8Array.of(1);
const TWO = Uint8Array.of(2);
const THREE = Uint8Array.of(3);
const NOTHING = new Uint8Array(0);

export class SymmetricState {
  private chainingKey: Uint8Array;
  private hash: Uint8Array;
  private key: Uint8Array = NOTHING;

  /** @param protocolName longer than a hash (32 bytes), as every name with a psk modifier is. */
  constructor(protocolName: string) {
    this.hash = blake2s(protocolName);
    this.chainingKey = this.hash;
  }

  /** @returns a state of its own, so that a message can be read on trial: no method changes bytes in place. */
  clone(): SymmetricState {
    const copy = Object.create(SymmetricState.prototype) as SymmetricState;
    return Object.assign(copy, this);
  }

  /** The hash of the handshake so far, 32 bytes. */
  get handshakeHash(): Uint8Array {
    return this.hash.slice();
  }

  mixHash(data: Uint8Array): void {
    this.hash = blake2s(this.hash, data);
  }

  mixKey(input: Uint8Array): void {
    const temporary = hmacBlake2s(this.chainingKey, input);
    this.chainingKey = hmacBlake2s(temporary, ONE);
    this.key = hmacBlake2s(temporary, this.chainingKey, TWO);
  }

  /** The psk token. */
  mixKeyAndHash(input: Uint8Array): void {
    const temporary = hmacBlake2s(this.chainingKey, input);
    this.chainingKey = hmacBlake2s(temporary, ONE);
    const hashInput = hmacBlake2s(temporary, this.chainingKey, TWO);
    this.key = hmacBlake2s(temporary, hashInput, THREE);
    this.mixHash(hashInput);
  }

  /** EncryptAndHash. @returns the ciphertext with its tag. */
  seal(plaintext: Uint8Array): Uint8Array {
    const cipher = createCipheriv(CIPHER, this.key, NONCE, { authTagLength: TAG_BYTES });
    cipher.setAAD(this.hash, { plaintextLength: plaintext.length });
    const sealed = new Uint8Array(plaintext.length + TAG_BYTES);
    sealed.set(cipher.update(plaintext));
    cipher.final();
    sealed.set(cipher.getAuthTag(), plaintext.length);
    this.mixHash(sealed);
    return sealed;
  }

  /** DecryptAndHash. @returns the plaintext, or undefined where the bytes are not authentic; the state is then unchanged. */
  open(sealed: Uint8Array): Uint8Array | undefined {
    if (sealed.length < TAG_BYTES) return undefined;
    const end = sealed.length - TAG_BYTES;
    const decipher = createDecipheriv(CIPHER, this.key, NONCE, { authTagLength: TAG_BYTES });
    decipher.setAAD(this.hash, { plaintextLength: end });
    decipher.setAuthTag(sealed.subarray(end));
    const plaintext = new Uint8Array(decipher.update(sealed.subarray(0, end)));
    try {
      decipher.final();
    } catch {
      // This is how node:crypto says that the tag does not fit.
      return undefined;
    }
    this.mixHash(sealed);
    return plaintext;
  }

  /** Split. @returns the key of the initiator's packets and the key of the responder's. */
  split(): { initiatorKey: Uint8Array; responderKey: Uint8Array } {
    const temporary = hmacBlake2s(this.chainingKey, NOTHING);
    const initiatorKey = hmacBlake2s(temporary, ONE);
    return { initiatorKey, responderKey: hmacBlake2s(temporary, initiatorKey, TWO) };
  }
}
