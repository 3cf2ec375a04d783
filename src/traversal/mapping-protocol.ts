// What PCP and NAT-PMP have in common once the bytes are gone: three things to ask of a router, and what it may answer. The machine
// that asks (port-mapping.ts) knows nothing else of them.

import type { SocketAddress } from "../base/address.ts";

/** "map" asks for the mapping or renews it, "check" asks whether the router is still the one it was, "remove" gives the mapping back. */
export type MappingRequest = "map" | "check" | "remove";

export type MappingAnswer =
  | {
      readonly type: "mapped";
      /** Port 0 where a mapping was given back. */
      readonly externalHost: string;
      readonly externalPort: number;
      /** 0: the mapping is gone. */
      readonly lifetimeSeconds: number;
      readonly epochSeconds: number;
    }
  /** The router is there, and at this address, where it says so. */
  | { readonly type: "alive"; readonly externalHost: string | undefined; readonly epochSeconds: number }
  | { readonly type: "refused"; readonly message: string; readonly epochSeconds: number }
  /** It speaks another protocol. */
  | { readonly type: "other-version" };

export interface MappingProtocol {
  readonly name: "PCP" | "NAT-PMP";
  /** Something new is asked for; further calls of `request` repeat it, or go on with it. */
  begin(what: MappingRequest): void;
  /** @param current the mapping so far: the same is asked for again. */
  request(what: MappingRequest, current: SocketAddress | undefined): Uint8Array;
  /** @returns undefined where it has nothing to do with this protocol or with us. */
  read(bytes: Uint8Array): MappingAnswer | undefined;
  /** The mapping takes another request, now that the last one was answered with "alive". */
  readonly needsAnotherRequest: boolean;
}
