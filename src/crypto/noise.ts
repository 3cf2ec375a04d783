// The handshake: Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s of the Noise Protocol Framework, revision 34, with the prologue
// of SPEC.md. The initiator knows the responder's static key beforehand:
//
//      <- s
//      ...
//      -> e, es, s, ss         payload 1
//      <- e, ee, se, psk       payload 2
//
// These are pure functions of bytes. Framing, MACs and retransmission are the transport's. What comes from the network
// never throws here: a message that is too short gives a short key, which x25519 refuses, or a short ciphertext, which
// SymmetricState refuses. A message that cannot be read leaves the object as it was, so that a forged response does not
// keep the true one from being read.

import { assert } from "../base/assert.ts";
import { KEY_BYTES, TAG_BYTES } from "../base/limits.ts";
import { type Random, randomBytes } from "../base/random.ts";
import type { Identity } from "./identity.ts";
import { SymmetricState } from "./symmetric-state.ts";
import { x25519, x25519PublicKey } from "./x25519.ts";

const PROTOCOL_NAME = "Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s";
const PROLOGUE = new TextEncoder().encode("tunnel v1");

/** Where the sealed static key of an initiation ends. */
const STATIC_END = KEY_BYTES + KEY_BYTES + TAG_BYTES;

/** The X25519 pair that a side shows. */
export type StaticKeys = Pick<Identity, "dhPublicKey" | "dhPrivateKey">;

export interface SessionKeys {
  /** Seals what this side sends, 32 bytes. */
  readonly sendKey: Uint8Array;
  /** Opens what it receives, 32 bytes. */
  readonly receiveKey: Uint8Array;
  /** The same 32 bytes on both sides and in no other handshake: what proofs are bound to. */
  readonly handshakeHash: Uint8Array;
}

function begin(prologue: Uint8Array, responderStatic: Uint8Array): SymmetricState {
  const state = new SymmetricState(PROTOCOL_NAME);
  state.mixHash(prologue);
  state.mixHash(responderStatic);
  return state;
}

/** The token e, which in a handshake with a pre-shared key goes into the chaining key too (§9.2). */
function mixEphemeral(state: SymmetricState, ephemeral: Uint8Array): void {
  state.mixHash(ephemeral);
  state.mixKey(ephemeral);
}

/** A token of two letters. @returns false where the other side's key is of small order. */
function mixShared(state: SymmetricState, privateKey: Uint8Array, publicKey: Uint8Array): boolean {
  const shared = x25519(privateKey, publicKey);
  if (shared === undefined) return false;
  state.mixKey(shared);
  return true;
}

function concatenate(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

/** Call writeInitiation, then readResponse until it succeeds, then sessionKeys. */
export class NoiseInitiator {
  private readonly local: StaticKeys;
  private readonly remoteDhPublicKey: Uint8Array;
  private readonly ephemeralPrivateKey: Uint8Array;
  private readonly initial: SymmetricState;
  private afterInitiation: SymmetricState | undefined;
  private finished: SymmetricState | undefined;

  /** @param remoteDhPublicKey from `dhPublicKeyOf`, which hands out no key of small order. */
  constructor(local: StaticKeys, remoteDhPublicKey: Uint8Array, random: Random, prologue: Uint8Array = PROLOGUE) {
    this.local = local;
    this.remoteDhPublicKey = remoteDhPublicKey;
    this.ephemeralPrivateKey = randomBytes(random, KEY_BYTES);
    this.initial = begin(prologue, remoteDhPublicKey);
  }

  /** @returns ephemeral(32) ‖ sealed(static)(48) ‖ sealed(payload). Called once: what is sent again is these bytes. */
  writeInitiation(payload: Uint8Array): Uint8Array {
    assert(this.afterInitiation === undefined, "a handshake has one initiation");
    const state = this.initial;
    const ephemeral = x25519PublicKey(this.ephemeralPrivateKey);
    mixEphemeral(state, ephemeral);
    assert(mixShared(state, this.ephemeralPrivateKey, this.remoteDhPublicKey), "the responder's key is of small order");
    const sealedStatic = state.seal(this.local.dhPublicKey);
    assert(mixShared(state, this.local.dhPrivateKey, this.remoteDhPublicKey), "the responder's key is of small order");
    const sealedPayload = state.seal(payload);
    this.afterInitiation = state;
    return concatenate(ephemeral, sealedStatic, sealedPayload);
  }

  /** @returns the responder's payload, or undefined where the message is not an authentic response to the initiation. */
  readResponse(message: Uint8Array, psk: Uint8Array): Uint8Array | undefined {
    assert(this.afterInitiation !== undefined, "the initiation comes before the response");
    const state = this.afterInitiation.clone();
    const ephemeral = message.subarray(0, KEY_BYTES);
    mixEphemeral(state, ephemeral);
    if (!mixShared(state, this.ephemeralPrivateKey, ephemeral)) return undefined;
    if (!mixShared(state, this.local.dhPrivateKey, ephemeral)) return undefined;
    state.mixKeyAndHash(psk);
    const payload = state.open(message.subarray(KEY_BYTES));
    if (payload !== undefined) this.finished = state;
    return payload;
  }

  /** After readResponse has succeeded. */
  sessionKeys(): SessionKeys {
    assert(this.finished !== undefined, "the handshake is not finished");
    const { initiatorKey, responderKey } = this.finished.split();
    return { sendKey: initiatorKey, receiveKey: responderKey, handshakeHash: this.finished.handshakeHash };
  }
}

/** Call readInitiation until it succeeds, then writeResponse, then sessionKeys. */
export class NoiseResponder {
  private readonly local: StaticKeys;
  private readonly random: Random;
  private readonly initial: SymmetricState;
  private afterInitiation: { state: SymmetricState; ephemeral: Uint8Array; remoteStatic: Uint8Array } | undefined;
  private finished: SymmetricState | undefined;

  constructor(local: StaticKeys, random: Random, prologue: Uint8Array = PROLOGUE) {
    this.local = local;
    this.random = random;
    this.initial = begin(prologue, local.dhPublicKey);
  }

  /** @returns who knocks and what it says, or undefined where the message is no authentic initiation to this side. */
  readInitiation(message: Uint8Array): { remoteDhPublicKey: Uint8Array; payload: Uint8Array } | undefined {
    const state = this.initial.clone();
    const ephemeral = new Uint8Array(message.subarray(0, KEY_BYTES));
    mixEphemeral(state, ephemeral);
    if (!mixShared(state, this.local.dhPrivateKey, ephemeral)) return undefined;
    const remoteStatic = state.open(message.subarray(KEY_BYTES, STATIC_END));
    if (remoteStatic === undefined || !mixShared(state, this.local.dhPrivateKey, remoteStatic)) return undefined;
    const payload = state.open(message.subarray(STATIC_END));
    if (payload === undefined) return undefined;
    this.afterInitiation = { state, ephemeral, remoteStatic };
    return { remoteDhPublicKey: remoteStatic.slice(), payload };
  }

  /** @returns ephemeral(32) ‖ sealed(payload). Called once: what is sent again is these bytes. */
  writeResponse(psk: Uint8Array, payload: Uint8Array): Uint8Array {
    assert(this.afterInitiation !== undefined, "the initiation comes before the response");
    assert(this.finished === undefined, "a handshake has one response");
    const { state, ephemeral: remoteEphemeral, remoteStatic } = this.afterInitiation;
    const ephemeralPrivateKey = randomBytes(this.random, KEY_BYTES);
    const ephemeral = x25519PublicKey(ephemeralPrivateKey);
    mixEphemeral(state, ephemeral);
    // Neither can be of small order: readInitiation has computed a shared secret with each.
    assert(mixShared(state, ephemeralPrivateKey, remoteEphemeral), "the initiator's ephemeral key is of small order");
    assert(mixShared(state, ephemeralPrivateKey, remoteStatic), "the initiator's static key is of small order");
    state.mixKeyAndHash(psk);
    const sealedPayload = state.seal(payload);
    this.finished = state;
    return concatenate(ephemeral, sealedPayload);
  }

  /** After writeResponse. */
  sessionKeys(): SessionKeys {
    assert(this.finished !== undefined, "the handshake is not finished");
    const { initiatorKey, responderKey } = this.finished.split();
    return { sendKey: responderKey, receiveKey: initiatorKey, handshakeHash: this.finished.handshakeHash };
  }
}
