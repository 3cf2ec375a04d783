// Answers STUN binding requests (RFC 8489 §6.3.1) on the rendezvous's own port, and where it has further sockets, with another
// port or another address, the questions of RFC 5780 by which an agent learns how its NAT maps and filters.

import type { SocketAddress } from "../base/address.ts";
import { decodeStun, encodeStun, type ReceivedStunMessage, type StunMessage } from "../wire/stun.ts";
import { stunAttribute } from "../wire/stun-attribute.ts";

/** An answer and the socket, by its index, that it has to leave from. */
export interface StunAnswer {
  readonly socket: number;
  readonly to: SocketAddress;
  readonly bytes: Uint8Array;
}

export class StunResponder {
  private readonly sockets: readonly SocketAddress[];

  /**
   * @param sockets the addresses of the server's sockets as the Internet sees them, the main one first. With fewer than two
   * there is nothing to discover with, and plain binding requests alone are answered.
   */
  constructor(sockets: readonly SocketAddress[]) {
    this.sockets = sockets.length < 2 ? [] : sockets;
  }

  /**
   * @param bytes exactly one STUN message.
   * @param socket the index of the socket that it came to.
   * @returns undefined where it is no binding request: then there is no answer.
   */
  respond(from: SocketAddress, bytes: Uint8Array, socket: number): StunAnswer | undefined {
    const request = decodeStun(bytes);
    if (request?.class !== "request") return undefined;
    const to = request.responsePort === undefined ? from : { ...from, port: request.responsePort };
    if (request.unknownRequired.length > 0) return refusal(request, socket, from, request.unknownRequired);
    // A large answer to another port than the request came from would be for somebody else (RFC 5780 §7.5).
    if (request.responsePort !== undefined && request.paddingBytes !== undefined) {
      return error(request, socket, from, { errorCode: { code: 400, reason: "PADDING with RESPONSE-PORT" } });
    }
    const source = this.sourceFor(request, socket);
    if (source === undefined) return refusal(request, socket, from, [stunAttribute.changeRequest]);
    return {
      socket: source,
      to,
      bytes: encodeStun({
        class: "success",
        transactionId: request.transactionId,
        xorMappedAddress: from,
        responseOrigin: this.sockets[source],
        otherAddress: this.other(socket),
        paddingBytes: request.paddingBytes,
        fingerprint: request.fingerprint,
      }),
    };
  }

  /** Where the answer to a CHANGE-REQUEST has to come from. @returns undefined where there is no such socket. */
  private sourceFor(request: ReceivedStunMessage, socket: number): number | undefined {
    const change = request.changeRequest;
    if (change === undefined || !(change.changeAddress || change.changePort)) return socket;
    return this.find(socket, change.changeAddress, change.changePort);
  }

  /** OTHER-ADDRESS: another port of another address, or where there is one address only, of the same. */
  private other(socket: number): SocketAddress | undefined {
    return this.sockets[this.find(socket, true, true) ?? this.find(socket, false, true) ?? -1];
  }

  private find(socket: number, changeAddress: boolean, changePort: boolean): number | undefined {
    const here = this.sockets[socket];
    if (here === undefined) return undefined;
    const index = this.sockets.findIndex(
      ({ family, host, port }) =>
        family === here.family && (host !== here.host) === changeAddress && (port !== here.port) === changePort,
    );
    return index < 0 ? undefined : index;
  }
}

/** 420 Unknown Attribute: `attributes` have to be understood and are not, or not here. */
function refusal(
  request: StunMessage,
  socket: number,
  to: SocketAddress,
  attributes: readonly number[],
): StunAnswer | undefined {
  return error(request, socket, to, {
    errorCode: { code: 420, reason: "Unknown Attribute" },
    unknownAttributes: attributes,
  });
}

function error(
  request: StunMessage,
  socket: number,
  to: SocketAddress,
  fields: Pick<StunMessage, "errorCode" | "unknownAttributes">,
): StunAnswer {
  const { transactionId, fingerprint } = request;
  return { socket, to, bytes: encodeStun({ class: "error", transactionId, fingerprint, ...fields }) };
}
