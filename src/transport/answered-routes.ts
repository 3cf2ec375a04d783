// Where a responder has sent its response, and which number it named there. An initiation may come by several routes, some of them
// made up by its sender or by somebody on the way; but only who has seen the response at a route can address a packet to the number
// that it named there. So the first packet of a connection proves one route, and nothing is sent to the others.

import { assert } from "../base/assert.ts";
import { RESPONSE_ROUTES_MAX } from "../base/limits.ts";
import type { Route } from "../base/route.ts";

export class AnsweredRoutes {
  private readonly bySession = new Map<number, Route>();
  /** The number that the latest packet is addressed to. */
  addressed = 0;

  /** The numbers by which the peer may address the connection, before it has chosen one of them. */
  get sessions(): Iterable<number> {
    return this.bySession.keys();
  }

  /** Whether the response may go to one more route. */
  get hasRoom(): boolean {
    return this.bySession.size < RESPONSE_ROUTES_MAX;
  }

  /** @returns the number that the response names at this route, or undefined where it has not gone there. */
  sessionAt(route: Route): number | undefined {
    for (const [session, answered] of this.bySession) if (answered === route) return session;
    return undefined;
  }

  /** The response goes to this route and names `session` there. */
  add(session: number, route: Route): void {
    this.bySession.set(session, route);
  }

  /** The route that the latest packet proves, once it has been found authentic. */
  get proved(): Route {
    const route = this.bySession.get(this.addressed);
    assert(route !== undefined, "a packet is addressed to a number that no response has named");
    return route;
  }
}
