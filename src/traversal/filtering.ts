// What a NAT's filter depends on, from how it took answers from elsewhere (RFC 5780 §4.4).

import { formatSocketAddress, type SocketAddress } from "../base/address.ts";
import type { Carrier } from "../base/route.ts";
import { type Finding, type KnownDependence, known, unknown } from "./nat-report.ts";
import type { Passage } from "./silence-test.ts";
import { hasSecondAddress, type StunReference } from "./stun-reference.ts";
import type { StunQuestion } from "./stun-transactions.ts";

/**
 * The questions of RFC 5780's filtering tests, the widest first: the answer is to come from another address and port, and from another
 * port. A server without a second address is asked the last alone.
 */
export function filteringQuestions(reference: StunReference, carrier: Carrier): StunQuestion[] {
  const plain = { to: reference.server, carrier };
  const otherPort = { ...plain, changeRequest: { changeAddress: false, changePort: true } };
  if (!hasSecondAddress(reference)) return [otherPort];
  return [{ ...plain, changeRequest: { changeAddress: true, changePort: true } }, otherPort];
}

/**
 * @param passages one for each of `filteringQuestions`.
 * @param isAlive whether one of the server's addresses answers when it is spoken to. A filter is believed to be closed
 * only where the one that should have come through is there.
 */
export function judgeFiltering(
  reference: StunReference,
  passages: readonly Passage[],
  isAlive: (alternate: SocketAddress) => boolean,
): Finding<KnownDependence> {
  const { server, other = server } = reference;
  const closed = (value: KnownDependence, alternate: SocketAddress): Finding<KnownDependence> =>
    isAlive(alternate)
      ? known(value)
      : unknown(
          `the server's alternate ${formatSocketAddress(alternate)} does not answer, so its silence proves nothing`,
        );
  const port = passages.at(-1);
  const both = passages.length > 1 ? passages[0] : undefined;
  if (both === "open") return known("endpoint-independent");
  if (port === "closed") return closed("address-and-port-dependent", { ...server, port: other.port });
  if (port === "open" && both === "closed") return closed("address-dependent", other);
  if (port === "open" && both === undefined) {
    return unknown("it does not depend on the server's port; whether on its address takes a server with two addresses");
  }
  if (passages.includes("refused")) return unknown("the server refuses to answer from elsewhere");
  return unknown("too many packets were lost to be sure");
}
