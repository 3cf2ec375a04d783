// What this agent exposes, and who may use it. By default nobody: a service is opened by its secret, by a list of peers, or,
// loudly, to everybody who knows the peer id.

import { equalBytes, pskOf, secretTagOf, selectorOf, selectorOfService } from "../crypto/secret.ts";
import { StreamProof } from "../crypto/stream-proof.ts";
import type { Preamble } from "../wire/preamble.ts";

export interface ServiceOptions {
  /** At most 255 bytes of UTF-8; what `connect --service` and tickets name. */
  readonly name: string;
  /** 16 bytes; whoever holds it may use the service. */
  readonly secret?: Uint8Array;
  /** Ed25519 public keys that may use it without the secret. */
  readonly allow: readonly Uint8Array[];
  /** Everybody may. */
  readonly public: boolean;
}

export class Service {
  readonly name: string;
  private readonly secret: Uint8Array | undefined;
  private readonly secretTag: Uint8Array | undefined;
  private readonly proof: StreamProof | undefined;
  private readonly allow: readonly Uint8Array[];
  private readonly isPublic: boolean;

  constructor(options: ServiceOptions) {
    this.name = options.name;
    this.secret = options.secret;
    this.secretTag = options.secret && secretTagOf(options.secret);
    this.proof = options.secret && new StreamProof(options.secret);
    this.allow = options.allow;
    this.isPublic = options.public;
  }

  /** By what the rendezvous finds this service; `publicKey` is this agent's. */
  selectors(publicKey: Uint8Array): Uint8Array[] {
    const selectors: Uint8Array[] = [];
    if (this.secret !== undefined) selectors.push(selectorOf(this.secret));
    if (this.isPublic || this.allow.length > 0) {
      selectors.push(selectorOfService(publicKey, this.name), selectorOfService(publicKey, ""));
    }
    return selectors;
  }

  /** Whether the peer may use the service without its secret. */
  lists(peer: Uint8Array): boolean {
    return this.isPublic || this.allow.some((allowed) => equalBytes(allowed, peer));
  }

  hasTag(secretTag: Uint8Array): boolean {
    return this.secretTag !== undefined && equalBytes(this.secretTag, secretTag);
  }

  /** The pre-shared key for handshakes that name this service's secret. */
  get psk(): Uint8Array | undefined {
    return this.secret && pskOf(this.secret);
  }

  /** Whether a stream of `peer` with this preamble may use the service. */
  admits(preamble: Preamble, peer: Uint8Array, handshakeHash: Uint8Array): boolean {
    if (preamble.kind === "secret") {
      return (
        this.proof !== undefined &&
        this.hasTag(preamble.secretTag) &&
        equalBytes(this.proof.on(handshakeHash), preamble.proof)
      );
    }
    return (preamble.name === "" || preamble.name === this.name) && this.lists(peer);
  }
}
