// What `tunnel connect` is to connect to: a ticket or a peer id, with what the options add to it.

import { parsePeerId } from "../crypto/peer-id.ts";
import { formatHostAndPort, type HostAndPort, type RendezvousAddress } from "../crypto/rendezvous-address.ts";
import { parseTicket } from "../crypto/ticket.ts";
import { UsageError } from "./usage-error.ts";

/** What to connect to, parsed. */
export interface ConnectGoal {
  readonly peer: Uint8Array;
  readonly secret?: Uint8Array;
  readonly service: string;
  readonly rendezvous: readonly RendezvousAddress[];
  /** Where the peer can be reached without any. */
  readonly addresses: readonly HostAndPort[];
}

/**
 * @param named the rendezvous that the person named; without any, the ticket's are used.
 * @param addresses where the person says that the peer is; the ticket's are tried as well.
 * @throws UsageError
 */
export function parseGoal(
  text: string,
  options: { readonly service?: string | undefined; readonly rendezvous: readonly string[] },
  named: readonly RendezvousAddress[],
  addresses: readonly HostAndPort[],
): ConnectGoal {
  const peer = /^tunnel/i.test(text) ? undefined : parsePeerId(text);
  if (peer !== undefined) return { peer, service: options.service ?? "", rendezvous: named, addresses };
  const result = parseTicket(text);
  if (!result.ok) {
    const message =
      /^[a-z2-7]{48,56}$/i.test(text) && !/^tunnel/i.test(text)
        ? "the peer id is mistyped: one has 52 characters, and this is none; copy it again."
        : result.message;
    throw new UsageError(message, `ticket-${result.fault}`);
  }
  const { ticket } = result;
  if (options.service !== undefined && options.service !== ticket.service) {
    throw new UsageError(
      `the ticket is for the service "${ticket.service}", not "${options.service}"; leave --service out, or get a ticket for that one`,
    );
  }
  // What stands on the command line outrules the ticket; the environment is only for what names no rendezvous itself.
  const given = options.rendezvous.length > 0 || ticket.rendezvous.length === 0;
  return {
    peer: ticket.peer,
    secret: ticket.secret,
    service: ticket.service,
    rendezvous: given ? named : ticket.rendezvous,
    addresses: eachOnce([...addresses, ...ticket.addresses]),
  };
}

const eachOnce = (addresses: readonly HostAndPort[]): readonly HostAndPort[] => [
  ...new Map(addresses.map((address) => [formatHostAndPort(address), address])).values(),
];
