// Why a router maps no port for us, by whatever protocol it was asked.

import { parseIp } from "../base/address.ts";

export interface NoMapping {
  readonly reason: /** Nobody answers. */
    | "silent"
    /** The router answers, and will not or cannot. */
    | "refused"
    /** The router stands behind another NAT itself: what it maps leads nowhere. */
    | "carrier-nat";
  /** The rest of a sentence that begins with the router. */
  readonly message: string;
}

/** @param host what a router calls its address outside, and is not public. */
export function withoutPublicAddress(host: string): NoMapping {
  if (parseIp(host) === undefined || host === "0.0.0.0" || host === "::") {
    return { reason: "refused", message: "it has no connection itself" };
  }
  return { reason: "carrier-nat", message: `its own address ${host} is a private one` };
}
