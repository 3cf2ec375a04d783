// The route of each relayed packet that comes in. The table of all routes finds a route by text; this one finds it by the channel's
// two numbers, since it is asked for every relayed packet.

import { RELAY_HEADER_BYTES, RELAY_ROUTES_MAX } from "../base/limits.ts";
import type { Route, RouteTable } from "../base/route.ts";
import { relayChannelHigh, relayChannelLow } from "../wire/datagram.ts";

interface Entry {
  readonly low: number;
  /** The direct route to the relay that the packet came from. */
  readonly relay: Route;
  readonly route: Route;
}

export class RelayRoutes {
  private readonly routes: RouteTable;
  private readonly entries = new Map<number, Entry>();

  constructor(routes: RouteTable) {
    this.routes = routes;
  }

  /**
   * @param relay the direct route that the datagram came over.
   * @param at where the outer header starts.
   */
  find(relay: Route, bytes: Uint8Array, at: number): Route {
    const high = relayChannelHigh(bytes, at);
    const low = relayChannelLow(bytes, at);
    const known = this.entries.get(high);
    if (known !== undefined && known.low === low && known.relay === relay) return known.route;
    // Channels that nobody opened fill this with junk at worst; it is only a cache.
    if (this.entries.size >= RELAY_ROUTES_MAX) this.entries.clear();
    const route = this.routes.relay(relay.remote, bytes.subarray(at, at + RELAY_HEADER_BYTES), relay.carrier);
    this.entries.set(high, { low, relay, route });
    return route;
  }
}
