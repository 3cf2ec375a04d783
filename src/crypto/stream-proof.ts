// The proof of a secret that every stream of a connection begins with (SPEC.md, "Tickets and secrets"). It is the same for all
// streams of one connection, so it is made once for each: the hash took a thirtieth of the time that a short connection costs.

import { streamProofOf } from "./secret.ts";

export class StreamProof {
  private readonly secret: Uint8Array;
  /** By the handshake hash, which is one object for as long as its connection lives. */
  private readonly proofs = new WeakMap<Uint8Array, Uint8Array>();

  /** @param secret of the service, 16 bytes. */
  constructor(secret: Uint8Array) {
    this.secret = secret;
  }

  /** @param handshakeHash of the connection; never written to. @returns 16 bytes, not to be written to. */
  on(handshakeHash: Uint8Array): Uint8Array {
    let proof = this.proofs.get(handshakeHash);
    if (proof === undefined) {
      proof = streamProofOf(this.secret, handshakeHash);
      this.proofs.set(handshakeHash, proof);
    }
    return proof;
  }
}
