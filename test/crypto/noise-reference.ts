// A slow, readable Noise (revision 34) for 25519, ChaChaPoly and BLAKE2s, written along the text of the specification
// and on other primitives than the product: it interprets the tokens of any interactive pattern. What the product does
// by hand for one pattern is checked against it.

import { chacha20poly1305 } from "@noble/ciphers/chacha.js";
import { x25519 } from "@noble/curves/ed25519.js";
import { blake2s } from "@noble/hashes/blake2.js";
import { hmac } from "@noble/hashes/hmac.js";

export type Token = "e" | "s" | "ee" | "es" | "se" | "ss" | "psk";

/** A handshake pattern: what each side knows beforehand, then the messages in turn, the initiator's first. */
export interface Pattern {
  readonly name: string;
  readonly initiatorKnown: boolean;
  readonly responderKnown: boolean;
  readonly messages: readonly (readonly Token[])[];
}

export const IKPSK2: Pattern = {
  name: "IKpsk2",
  initiatorKnown: false,
  responderKnown: true,
  messages: [
    ["e", "es", "s", "ss"],
    ["e", "ee", "se", "psk"],
  ],
};

export interface ReferenceOptions {
  readonly pattern: Pattern;
  readonly initiator: boolean;
  readonly prologue: Uint8Array;
  readonly staticPrivateKey: Uint8Array;
  readonly ephemeralPrivateKey: Uint8Array;
  readonly remoteStatic?: Uint8Array;
  readonly psk?: Uint8Array;
}

const join = (...parts: Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts));

/** §5.1 */
class CipherState {
  private readonly key: Uint8Array | undefined;
  private counter = 0;

  constructor(key?: Uint8Array) {
    this.key = key;
  }

  /** The overhead of a message: none as long as there is no key. */
  get tagBytes(): number {
    return this.key === undefined ? 0 : 16;
  }

  private cipher(key: Uint8Array, ad: Uint8Array): ReturnType<typeof chacha20poly1305> {
    const nonce = new Uint8Array(12);
    new DataView(nonce.buffer).setBigUint64(4, BigInt(this.counter++), true);
    return chacha20poly1305(key, nonce, ad);
  }

  encrypt(ad: Uint8Array, plaintext: Uint8Array): Uint8Array {
    return this.key === undefined ? plaintext : this.cipher(this.key, ad).encrypt(plaintext);
  }

  decrypt(ad: Uint8Array, ciphertext: Uint8Array): Uint8Array {
    return this.key === undefined ? ciphertext : this.cipher(this.key, ad).decrypt(ciphertext);
  }
}

/** §4.3 */
function hkdf(chainingKey: Uint8Array, input: Uint8Array): [Uint8Array, Uint8Array, Uint8Array] {
  const temporary = hmac(blake2s, chainingKey, input);
  const first = hmac(blake2s, temporary, Uint8Array.of(1));
  const second = hmac(blake2s, temporary, join(first, Uint8Array.of(2)));
  return [first, second, hmac(blake2s, temporary, join(second, Uint8Array.of(3)))];
}

export class ReferenceNoise {
  hash: Uint8Array;
  private chainingKey: Uint8Array;
  private cipher = new CipherState();
  private readonly options: ReferenceOptions;
  private remoteEphemeral: Uint8Array = new Uint8Array(0);
  remoteStatic: Uint8Array;
  private messagesDone = 0;

  constructor(options: ReferenceOptions) {
    this.options = options;
    const name = new TextEncoder().encode(`Noise_${options.pattern.name}_25519_ChaChaPoly_BLAKE2s`);
    this.hash = name.length <= 32 ? join(name, new Uint8Array(32 - name.length)) : blake2s(name);
    this.chainingKey = this.hash;
    this.remoteStatic = options.remoteStatic ?? new Uint8Array(0);
    this.mixHash(options.prologue);
    const own = x25519.getPublicKey(options.staticPrivateKey);
    if (options.pattern.initiatorKnown) this.mixHash(options.initiator ? own : this.remoteStatic);
    if (options.pattern.responderKnown) this.mixHash(options.initiator ? this.remoteStatic : own);
  }

  private mixHash(data: Uint8Array): void {
    this.hash = blake2s(join(this.hash, data));
  }

  private mixKey(input: Uint8Array): void {
    const [chainingKey, key] = hkdf(this.chainingKey, input);
    this.chainingKey = chainingKey;
    this.cipher = new CipherState(key);
  }

  private mixKeyAndHash(input: Uint8Array): void {
    const [chainingKey, hashInput, key] = hkdf(this.chainingKey, input);
    this.chainingKey = chainingKey;
    this.mixHash(hashInput);
    this.cipher = new CipherState(key);
  }

  /** The tokens of two letters and psk, which are the same for the writer and the reader. */
  private mixToken(token: Token): void {
    const { initiator, staticPrivateKey, ephemeralPrivateKey, psk } = this.options;
    if (token === "psk") {
      if (psk === undefined) throw new Error("the pattern needs a psk");
      this.mixKeyAndHash(psk);
      return;
    }
    const [initiatorLetter, responderLetter] = token;
    const ownLetter = initiator ? initiatorLetter : responderLetter;
    const remoteLetter = initiator ? responderLetter : initiatorLetter;
    const own = ownLetter === "e" ? ephemeralPrivateKey : staticPrivateKey;
    this.mixKey(x25519.getSharedSecret(own, remoteLetter === "e" ? this.remoteEphemeral : this.remoteStatic));
  }

  private mixEphemeral(ephemeral: Uint8Array): void {
    this.mixHash(ephemeral);
    if (this.options.psk !== undefined) this.mixKey(ephemeral);
  }

  private nextTokens(): readonly Token[] {
    return this.options.pattern.messages[this.messagesDone++] ?? [];
  }

  write(payload: Uint8Array): Uint8Array {
    let message: Uint8Array = new Uint8Array(0);
    for (const token of this.nextTokens()) {
      if (token === "e") {
        const ephemeral = x25519.getPublicKey(this.options.ephemeralPrivateKey);
        this.mixEphemeral(ephemeral);
        message = join(message, ephemeral);
      } else if (token === "s") {
        message = join(message, this.seal(x25519.getPublicKey(this.options.staticPrivateKey)));
      } else {
        this.mixToken(token);
      }
    }
    return join(message, this.seal(payload));
  }

  /** @throws where a tag does not fit. */
  read(message: Uint8Array): Uint8Array {
    let rest = message;
    const take = (count: number): Uint8Array => {
      const taken = rest.slice(0, count);
      rest = rest.slice(count);
      return taken;
    };
    for (const token of this.nextTokens()) {
      if (token === "e") {
        this.remoteEphemeral = take(32);
        this.mixEphemeral(this.remoteEphemeral);
      } else if (token === "s") {
        this.remoteStatic = this.open(take(32 + this.cipher.tagBytes));
      } else {
        this.mixToken(token);
      }
    }
    return this.open(rest);
  }

  private seal(plaintext: Uint8Array): Uint8Array {
    const ciphertext = this.cipher.encrypt(this.hash, plaintext);
    this.mixHash(ciphertext);
    return ciphertext;
  }

  private open(ciphertext: Uint8Array): Uint8Array {
    const plaintext = this.cipher.decrypt(this.hash, ciphertext);
    this.mixHash(ciphertext);
    return plaintext;
  }

  /** Split (§5.2). */
  sessionKeys(): { sendKey: Uint8Array; receiveKey: Uint8Array } {
    const [initiatorKey, responderKey] = hkdf(this.chainingKey, new Uint8Array(0));
    return this.options.initiator
      ? { sendKey: initiatorKey, receiveKey: responderKey }
      : { sendKey: responderKey, receiveKey: initiatorKey };
  }
}
