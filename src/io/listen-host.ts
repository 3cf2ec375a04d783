// The IP address to listen on where a person gave a name: a UDP socket is bound to one address of one family.

import { lookup } from "node:dns/promises";
import { isIP } from "node:net";

/** @returns an IP address. @throws the system's error, with its `code`, where the name is not known. */
export async function resolveListenHost(host: string): Promise<string> {
  if (isIP(host) !== 0) return host;
  return (await lookup(host)).address;
}
