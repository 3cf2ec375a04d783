// Which routes lead to the peer, and how that is proved: challenges are answered, a route from which the peer is heard is
// challenged in turn, and a path follows the peer when a NAT has given it another address. Nothing is moved and nothing opened
// before a challenge has come back over the route (RFC 9000 §8.2, §9.3).

import { PATH_MOVE_PAUSE_MS, PROBE_LIFE_MS, PROBE_RETRY_MS, PROBES_AUTOMATIC_MAX } from "../base/limits.ts";
import type { Route } from "../base/route.ts";
import type { ConnectionEvent } from "./connection-event.ts";
import type { PathProbes } from "./path-probes.ts";
import type { PathTable } from "./path-table.ts";
import type { ReceiveSpace } from "./receive-space.ts";

export class RouteProof {
  private readonly paths: PathTable;
  private readonly probes: PathProbes;
  private readonly spaces: ReadonlyMap<number, ReceiveSpace>;
  private readonly emit: (event: ConnectionEvent) => void;
  private automaticSinceMs = Number.NEGATIVE_INFINITY;
  private automatic = 0;

  constructor(
    paths: PathTable,
    probes: PathProbes,
    spaces: ReadonlyMap<number, ReceiveSpace>,
    emit: (event: ConnectionEvent) => void,
  ) {
    this.paths = paths;
    this.probes = probes;
    this.spaces = spaces;
    this.emit = emit;
  }

  /** A challenge came: it is answered where it came from, and a route that is new to us is asked in turn. */
  onChallenge(nowMs: number, route: Route, token: Uint8Array): void {
    this.probes.respond(route, token);
    const path = this.paths.byRoute(route);
    if (path !== undefined && path.state === "working") return;
    this.emit({ type: "challenged", route });
    this.challenge(nowMs, route);
  }

  /** Asks the route on our own account, within bounds: somebody else may have put the sender's address into the packet. */
  challenge(nowMs: number, route: Route): void {
    if (nowMs - this.automaticSinceMs > PROBE_LIFE_MS) {
      this.automaticSinceMs = nowMs;
      this.automatic = 0;
    }
    if (this.automatic >= PROBES_AUTOMATIC_MAX) return;
    this.automatic++;
    this.probes.challenge(nowMs, route);
  }

  /**
   * An authentic packet of `space` came over `route`.
   * @param isNewest whether its number is the highest of its space so far.
   */
  onPacket(nowMs: number, space: ReceiveSpace, route: Route, isNewest: boolean): void {
    const path = this.paths.byRoute(route);
    const isProved = path !== undefined && path.state !== "failed";
    if (isNewest && space.route !== route) {
      // The peer is heard elsewhere: a NAT gave it another address, perhaps.
      if (isProved) space.route = route;
      space.movedTo = isProved ? undefined : route;
    }
    // As long as the peer is heard over a route that has not been proved it is asked again, for challenges are lost as well.
    const isWanted = !isProved && (space.route === route || space.movedTo === route);
    if (isWanted && nowMs - this.probes.lastChallengeMs(route) >= PROBE_RETRY_MS) this.challenge(nowMs, route);
  }

  /** A challenge to the route has come back. */
  onAnswer(nowMs: number, route: Route, rttMs: number): void {
    for (const space of this.spaces.values()) {
      if (space.movedTo !== route) continue;
      const before = this.paths.byRoute(space.route);
      space.route = route;
      space.movedTo = undefined;
      // Our path to the old place goes along, unless we have one here already, or it has only just moved: a peer that
      // is heard from two places by turns gets a path for each.
      if (before === undefined || this.paths.byRoute(route) !== undefined) continue;
      if (nowMs - before.movedAtMs < PATH_MOVE_PAUSE_MS) continue;
      this.paths.move(nowMs, before, route, rttMs);
      return;
    }
    this.paths.open(nowMs, route, rttMs);
  }
}
