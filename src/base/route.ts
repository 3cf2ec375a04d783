// A route is where datagrams go and come from: directly to an address, or through a relay channel, by one of our carriers.
// Everything above the sockets names a route by its object: a RouteTable hands out the same object for
// the same place, so routes are compared by identity and no address is looked at on the hot path.

import { formatSocketAddress, type SocketAddress } from "./address.ts";
import { STREAM_CARRIER_MIN } from "./limits.ts";

export type Via = "direct" | "relay";

/** What carries datagrams on our side: 0 is the main UDP socket; others are further sockets and TCP connections that the driver opened. */
export type Carrier = number;

export const MAIN_CARRIER: Carrier = 0;

/** Whether it is a TCP connection or a WebSocket: it has one other side, and loses nothing as long as it lasts. */
export const isStreamCarrier = (carrier: Carrier): boolean => carrier >= STREAM_CARRIER_MIN;

export interface Route {
  /** Equal keys are the same route. */
  readonly key: string;
  readonly via: Via;
  /** Where the datagram is sent: the peer itself, or the relay. */
  readonly remote: SocketAddress;
  /** By which of our sockets. */
  readonly carrier: Carrier;
  /** Written before every packet: nothing for a direct route, the outer header for a relay's. */
  readonly prefix: Uint8Array;
}

const NOTHING = new Uint8Array(0);

const keyOf = (remote: SocketAddress, carrier: Carrier): string =>
  carrier === MAIN_CARRIER ? formatSocketAddress(remote) : `${formatSocketAddress(remote)}#${carrier}`;

/** Interns routes. Entries live as long as somebody holds the route. */
export class RouteTable {
  private readonly routes = new Map<string, WeakRef<Route>>();
  private sweepAtSize = 1024;

  direct(remote: SocketAddress, carrier: Carrier = MAIN_CARRIER): Route {
    const key = keyOf(remote, carrier);
    return this.get(key) ?? this.put({ key, via: "direct", remote, carrier, prefix: NOTHING });
  }

  /** @param prefix the relay's outer header with the channel. */
  relay(remote: SocketAddress, prefix: Uint8Array, carrier: Carrier = MAIN_CARRIER): Route {
    const key = `${keyOf(remote, carrier)}/${Array.from(prefix, (b) => b.toString(16).padStart(2, "0")).join("")}`;
    return this.get(key) ?? this.put({ key, via: "relay", remote, carrier, prefix: new Uint8Array(prefix) });
  }

  private get(key: string): Route | undefined {
    return this.routes.get(key)?.deref();
  }

  private put(route: Route): Route {
    this.routes.set(route.key, new WeakRef(route));
    if (this.routes.size > this.sweepAtSize) this.sweep();
    return route;
  }

  private sweep(): void {
    for (const [key, reference] of this.routes) if (reference.deref() === undefined) this.routes.delete(key);
    this.sweepAtSize = Math.max(1024, this.routes.size * 2);
  }
}
