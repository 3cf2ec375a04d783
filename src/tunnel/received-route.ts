// The direct route of each datagram that comes in. Sockets hand out one object for one sender, so most datagrams find theirs by a
// comparison.

import type { SocketAddress } from "../base/address.ts";
import type { Carrier, Route, RouteTable } from "../base/route.ts";

export class ReceivedRoute {
  private readonly routes: RouteTable;
  private from: SocketAddress | undefined;
  private route: Route | undefined;

  constructor(routes: RouteTable) {
    this.routes = routes;
  }

  of(from: SocketAddress, carrier: Carrier): Route {
    if (this.route === undefined || from !== this.from || carrier !== this.route.carrier) {
      this.from = from;
      this.route = this.routes.direct(from, carrier);
    }
    return this.route;
  }
}
