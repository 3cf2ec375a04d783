// What a NAT's filter depends on, from how it took answers from elsewhere (RFC 5780 §4.4).

import { formatSocketAddress, type SocketAddress } from "../base/address.ts";
import type { FilterState } from "./filtering-test.ts";
import { type Finding, type KnownDependence, known, unknown } from "./nat-report.ts";
import { hasSecondAddress, type StunReference } from "./stun-reference.ts";

/** The sources of answers that RFC 5780 has tried, the widest first; a server without a second address has the last alone. */
export function filterChanges(reference: StunReference) {
  const otherPort = { changeAddress: false, changePort: true };
  return hasSecondAddress(reference) ? [{ changeAddress: true, changePort: true }, otherPort] : [otherPort];
}

/**
 * @param states one for each of `filterChanges`.
 * @param isAlive whether one of the server's addresses answers when it is spoken to. A filter is believed to be closed
 * only where the one that should have come through is there.
 */
export function judgeFiltering(
  reference: StunReference,
  states: readonly FilterState[],
  isAlive: (alternate: SocketAddress) => boolean,
): Finding<KnownDependence> {
  const { server, other = server } = reference;
  const closed = (value: KnownDependence, alternate: SocketAddress): Finding<KnownDependence> =>
    isAlive(alternate)
      ? known(value)
      : unknown(
          `the server's alternate ${formatSocketAddress(alternate)} does not answer, so its silence proves nothing`,
        );
  const port = states.at(-1);
  const both = states.length > 1 ? states[0] : undefined;
  if (both === "open") return known("endpoint-independent");
  if (port === "closed") return closed("address-and-port-dependent", { ...server, port: other.port });
  if (port === "open" && both === "closed") return closed("address-dependent", other);
  if (port === "open" && both === undefined) {
    return unknown("it does not depend on the server's port; whether on its address takes a server with two addresses");
  }
  if (states.includes("refused")) return unknown("the server refuses to answer from elsewhere");
  return unknown("too many packets were lost to be sure");
}
