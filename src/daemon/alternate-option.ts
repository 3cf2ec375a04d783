// The further places where a rendezvous listens, as --alternate says: another port, another address, or both. What RFC 5780 asks for
// is every address with every port, so one option with another address and another port makes four places of one.

import { RENDEZVOUS_SOCKETS_MAX } from "../base/limits.ts";
import { type ListenPlace, parseListenOption } from "./listen-option.ts";
import { UsageError } from "./usage-error.ts";

/** Whether a host stands for all addresses of this machine. */
export const isWildcard = (host: string): boolean => host === "0.0.0.0" || host === "::";

/**
 * @param main what --listen says.
 * @param given values of --alternate.
 * @returns every place to listen on, `main` first.
 * @throws UsageError
 */
export function parseAlternateOption(main: ListenPlace, given: readonly string[]): readonly ListenPlace[] {
  const hosts = new Set([main.host]);
  const ports = new Set([main.port]);
  for (const text of given) {
    const { host, port } = parseListenOption(text, main.host);
    if (port === 0) throw new UsageError(`"${text}" is no alternate; its port has to be a number from 1 to 65535`);
    if (host === main.host && port === main.port) {
      throw new UsageError(`"${text}" is what --listen names already; an alternate is another port or another address`);
    }
    if (host !== main.host && (isWildcard(host) || isWildcard(main.host))) {
      throw new UsageError(
        `the alternate "${text}" names an address, so --listen has to name one too (it is ${main.host}, which means all of them)`,
      );
    }
    hosts.add(host);
    ports.add(port);
  }
  const places = [...ports].flatMap((port) => [...hosts].map((host) => ({ host, port })));
  if (places.length > RENDEZVOUS_SOCKETS_MAX) {
    throw new UsageError(
      `these alternates are ${places.length} places to listen on, every address with every port; at most ${RENDEZVOUS_SOCKETS_MAX} can be used`,
    );
  }
  return places;
}
