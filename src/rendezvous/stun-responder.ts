// Answers STUN binding requests (RFC 8489 §6.3.1) on the rendezvous's own port, and where it has further sockets, with another
// port or another address, the questions of RFC 5780 by which an agent learns how its NAT maps and filters.

import type { SocketAddress } from "../base/address.ts";
import type { Carrier } from "../base/route.ts";
import { decodeStun, encodeStun, type ReceivedStunMessage, type StunMessage } from "../wire/stun.ts";
import { STUN_ATTRIBUTE_HEADER_BYTES, stunAttribute } from "../wire/stun-attribute.ts";

/** A socket of the server as the Internet sees it; one that takes both families is two of these. */
export interface StunSocket {
  readonly carrier: Carrier;
  readonly address: SocketAddress;
}

/** An answer and the socket that it has to leave from. */
export interface StunAnswer {
  readonly carrier: Carrier;
  readonly to: SocketAddress;
  readonly bytes: Uint8Array;
}

export class StunResponder {
  private readonly sockets: readonly StunSocket[];

  /** @param sockets without another one of its family a socket answers plain binding requests, and can discover nothing. */
  constructor(sockets: readonly StunSocket[]) {
    this.sockets = sockets;
  }

  /**
   * @param bytes exactly one STUN message.
   * @param carrier the socket that it came to.
   * @param protocol over TCP the answer can go back only by the connection that the request came by.
   * @returns undefined where it is no binding request: then there is no answer.
   */
  respond(
    from: SocketAddress,
    bytes: Uint8Array,
    carrier: Carrier,
    protocol: "udp" | "tcp" = "udp",
  ): StunAnswer | undefined {
    const request = decodeStun(bytes);
    if (request?.class !== "request") return undefined;
    const refused = protocol === "tcp" ? redirections(request) : request.unknownRequired;
    if (refused.length > 0) return refusal(request, carrier, from, refused);
    // A large answer to another port than the request came from would be for somebody else (RFC 5780 §7.5).
    if (request.responsePort !== undefined && request.paddingBytes !== undefined) {
      return error(request, carrier, from, { errorCode: { code: 400, reason: "PADDING with RESPONSE-PORT" } });
    }
    const here = this.sockets.find((socket) => socket.carrier === carrier && socket.address.family === from.family);
    const source = this.sourceFor(request, here);
    if (source === undefined && isChange(request)) {
      return refusal(request, carrier, from, [stunAttribute.changeRequest]);
    }
    const other = this.other(here);
    const answer: StunMessage = {
      class: "success",
      transactionId: request.transactionId,
      xorMappedAddress: from,
      responseOrigin: other && source?.address,
      otherAddress: other?.address,
      fingerprint: request.fingerprint,
    };
    return {
      carrier: source?.carrier ?? carrier,
      to: request.responsePort === undefined ? from : { ...from, port: request.responsePort },
      bytes: request.paddingBytes === undefined ? encodeStun(answer) : encodePadded(answer, bytes.length),
    };
  }

  /** Where the answer to a CHANGE-REQUEST has to come from. @returns undefined where there is no such socket. */
  private sourceFor(request: ReceivedStunMessage, here: StunSocket | undefined): StunSocket | undefined {
    if (!isChange(request)) return here;
    const { changeAddress = false, changePort = false } = request.changeRequest ?? {};
    return this.find(here, changeAddress, changePort);
  }

  /** OTHER-ADDRESS: another port of another address, or where there is one address only, of the same. */
  private other(here: StunSocket | undefined): StunSocket | undefined {
    return this.find(here, true, true) ?? this.find(here, false, true);
  }

  private find(here: StunSocket | undefined, changeAddress: boolean, changePort: boolean): StunSocket | undefined {
    if (here === undefined) return undefined;
    const { family, host, port } = here.address;
    return this.sockets.find(
      ({ address }) =>
        address.family === family &&
        (address.host !== host) === changeAddress &&
        (address.port !== port) === changePort,
    );
  }
}

/** PADDING (RFC 5780 §7.6) is for finding what the path carries: the answer is exactly as long as the question, and so floods nobody. */
function encodePadded(answer: StunMessage, lengthBytes: number): Uint8Array {
  const plain = encodeStun(answer);
  const paddingBytes = lengthBytes - plain.length - STUN_ATTRIBUTE_HEADER_BYTES;
  return paddingBytes < 0 ? plain : encodeStun({ ...answer, paddingBytes });
}

const isChange = ({ changeRequest }: StunMessage): boolean =>
  changeRequest !== undefined && (changeRequest.changeAddress || changeRequest.changePort);

/** Attributes of a request that cannot be followed where the answer has to go back by the same connection. */
function redirections(request: ReceivedStunMessage): readonly number[] {
  return [
    ...request.unknownRequired,
    ...(isChange(request) ? [stunAttribute.changeRequest] : []),
    ...(request.responsePort === undefined ? [] : [stunAttribute.responsePort]),
  ];
}

/** 420 Unknown Attribute: `attributes` have to be understood and are not, or not here. */
function refusal(request: StunMessage, carrier: Carrier, to: SocketAddress, attributes: readonly number[]): StunAnswer {
  return error(request, carrier, to, {
    errorCode: { code: 420, reason: "Unknown Attribute" },
    unknownAttributes: attributes,
  });
}

function error(
  request: StunMessage,
  carrier: Carrier,
  to: SocketAddress,
  fields: Pick<StunMessage, "errorCode" | "unknownAttributes">,
): StunAnswer {
  const { transactionId, fingerprint } = request;
  return { carrier, to, bytes: encodeStun({ class: "error", transactionId, fingerprint, ...fields }) };
}
