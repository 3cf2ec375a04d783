// The services of this agent, and the two questions that are asked of them: may this peer connect at all, and which service does
// this stream want.

import { NO_PSK, NO_SECRET_TAG } from "../transport/endpoint.ts";
import type { Preamble } from "../wire/preamble.ts";
import type { Service } from "./service.ts";

export class ServiceTable {
  private readonly services: Service[] = [];

  add(service: Service): void {
    this.services.push(service);
  }

  /** What the rendezvous is told, each selector once. */
  selectors(publicKey: Uint8Array): Uint8Array[] {
    const unique = new Map<string, Uint8Array>();
    for (const service of this.services) {
      for (const selector of service.selectors(publicKey)) unique.set(selector.join(), selector);
    }
    return [...unique.values()];
  }

  /** @returns the key of the handshake, or undefined where the peer meets silence. */
  admit(identity: Uint8Array, secretTag: Uint8Array): { psk: Uint8Array } | undefined {
    if (secretTag.every((byte, i) => byte === NO_SECRET_TAG[i])) {
      return this.services.some((service) => service.lists(identity)) ? { psk: NO_PSK } : undefined;
    }
    const psk = this.services.find((service) => service.hasTag(secretTag))?.psk;
    return psk && { psk };
  }

  /** @returns the service that a stream asks for, if its opener may use it. */
  find(preamble: Preamble, peer: Uint8Array, handshakeHash: Uint8Array): Service | undefined {
    return this.services.find((service) => service.admits(preamble, peer, handshakeHash));
  }
}
