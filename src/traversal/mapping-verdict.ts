// How a NAT maps, from where several servers saw one socket (RFC 5780 §4.3): the same for all, another for each address, or another for
// each port. Servers that know nothing of RFC 5780 serve as well, as long as there are two of them.

import { formatSocketAddress, type SocketAddress } from "../base/address.ts";
import { type Finding, type KnownDependence, known, likely, unknown } from "./nat-report.ts";

/** Where a server saw our socket. */
export interface MappingObservation {
  readonly server: SocketAddress;
  readonly mapped: SocketAddress;
}

/** @param observations of one socket, in any order; several of one server prove that its view is steady. */
export function judgeMapping(observations: readonly MappingObservation[]): Finding<KnownDependence> {
  const views = new Map<string, MappingObservation>();
  for (const observation of observations) {
    const key = formatSocketAddress(observation.server);
    const before = views.get(key);
    if (before !== undefined && !same(before.mapped, observation.mapped)) {
      return unknown("the address outside changed while it was being measured");
    }
    views.set(key, observation);
  }
  const pairs = pairsOf([...views.values()]);
  const [one] = views.values();
  if (pairs.length === 0 || one === undefined) {
    return unknown(
      `${one === undefined ? "no server" : "only one address and port of a server"} answered; it takes two`,
    );
  }
  const ofOneHost = pairs.filter(([a, b]) => a.server.host === b.server.host);
  if (ofOneHost.some(([a, b]) => !same(a.mapped, b.mapped))) return known("address-and-port-dependent");
  if (pairs.some(([a, b]) => !same(a.mapped, b.mapped))) {
    return ofOneHost.length > 0
      ? known("address-dependent")
      : known("address-dependent", "on the port too, perhaps: no server answered on two ports of one address");
  }
  return ofOneHost.length < pairs.length
    ? known("endpoint-independent")
    : likely(
        "endpoint-independent",
        "it does not depend on the server's port; whether on its address takes a server with two addresses",
      );
}

/** The observation of every two different servers. */
function pairsOf(views: readonly MappingObservation[]): [MappingObservation, MappingObservation][] {
  return views.flatMap((a, i) => views.slice(i + 1).map((b): [MappingObservation, MappingObservation] => [a, b]));
}

const same = (a: SocketAddress, b: SocketAddress): boolean => a.host === b.host && a.port === b.port;
