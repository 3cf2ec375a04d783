// Asks whoever is at an address for the key of the rendezvous there (SPEC.md, "Identity of a rendezvous"), from a socket of its own.
// A handshake with a rendezvous whose key has changed meets silence; this question tells such a one from one that is gone.

import { createSocket } from "node:dgram";
import type { SocketAddress } from "../base/address.ts";
import { IDENTITY_PROBE_INTERVAL_MS, IDENTITY_PROBE_TRIES } from "../base/limits.ts";
import { randomBytes } from "../base/random.ts";
import { equalBytes } from "../crypto/secret.ts";
import { decodeIdentityReply, encodeIdentityRequest, IDENTITY_NONCE_BYTES } from "../wire/identity-exchange.ts";
import { systemRandom } from "./system-random.ts";

/** @returns the Ed25519 key that is shown there, which nobody has proven to hold, or undefined where nobody answers. */
export function probeIdentity(address: SocketAddress): Promise<Uint8Array | undefined> {
  const nonce = randomBytes(systemRandom, IDENTITY_NONCE_BYTES);
  const request = encodeIdentityRequest(nonce);
  const socket = createSocket(address.family === 4 ? "udp4" : "udp6");
  return new Promise((resolve) => {
    let tries = 0;
    const finish = (publicKey: Uint8Array | undefined): void => {
      clearInterval(timer);
      socket.close();
      resolve(publicKey);
    };
    const ask = (): void => {
      if (tries++ === IDENTITY_PROBE_TRIES) finish(undefined);
      // An error of a send means no answer, which is what the next try or the end of them finds.
      else socket.send(request, address.port, address.host, () => {});
    };
    const timer = setInterval(ask, IDENTITY_PROBE_INTERVAL_MS);
    socket.on("error", () => finish(undefined));
    socket.on("message", (bytes) => {
      const reply = decodeIdentityReply(bytes);
      if (reply !== undefined && equalBytes(reply.nonce, nonce)) finish(reply.publicKey);
    });
    ask();
  });
}
