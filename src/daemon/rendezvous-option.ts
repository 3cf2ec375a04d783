// Which rendezvous to use, as the command line or the environment name them.

import { formatHostAndPort, parseRendezvousAddress, type RendezvousAddress } from "../crypto/rendezvous-address.ts";
import type { Environment } from "./state-directory.ts";
import { UsageError } from "./usage-error.ts";

/** More than this would only slow a ticket down. */
const RENDEZVOUS_MAX = 8;

/** @param given values of --rendezvous; they outrule TUNNEL_RENDEZVOUS. @returns none where neither is there. @throws UsageError */
export function parseRendezvousOption(given: readonly string[], env: Environment): readonly RendezvousAddress[] {
  const fromEnvironment = given.length === 0;
  const texts = (fromEnvironment ? [env.TUNNEL_RENDEZVOUS ?? ""] : given)
    .flatMap((text) => text.split(/[\s,]+/))
    .filter((text) => text !== "");
  if (texts.length > RENDEZVOUS_MAX) throw new UsageError(`at most ${RENDEZVOUS_MAX} rendezvous can be used at a time`);
  const places = new Map<string, RendezvousAddress>();
  for (const text of texts) {
    const address = parseRendezvousAddress(text);
    if (address === undefined) {
      const where = fromEnvironment ? " (from TUNNEL_RENDEZVOUS)" : "";
      throw new UsageError(
        `"${text}"${where} is no address of a rendezvous; expected host:port or <rendezvous-id>@host:port`,
      );
    }
    places.set(formatHostAndPort(address), address);
  }
  return [...places.values()];
}

/** @returns what tells how the two sides can find each other. */
export function missingRendezvous(): UsageError {
  return new UsageError(
    "no rendezvous is known; name one with --rendezvous host:port or in TUNNEL_RENDEZVOUS (run your own with: tunnel rendezvous), or do without: --address host:port where one side can be reached, --lan on one network",
  );
}
