// The paths of a connection: which exist, which one carries data, and what happens when one stops working. A path that
// leaves its probes unanswered becomes suspect, its data go another way at once, and it is given up when it stays silent.
// The last one is never given up, for it may be the way back.

import { PATH_FAIL_MS, PATH_ID_MAX, PATHS_MAX, RECEIVE_SPACES_MAX } from "../base/limits.ts";
import type { Route, Via } from "../base/route.ts";
import type { ConnectionEvent } from "./connection-event.ts";
import { type PacketOwner, Path } from "./path.ts";
import type { PathState } from "./path-summary.ts";
import type { TransportSettings } from "./transport-settings.ts";

export class PathTable {
  private readonly settings: TransportSettings;
  private readonly owner: PacketOwner;
  private readonly emit: (event: ConnectionEvent) => void;
  private readonly paths: Path[] = [];
  /** When stream data came last over any path, in ms, and when they were sent last. */
  dataHeardAtMs = Number.NEGATIVE_INFINITY;
  dataSentAtMs = Number.NEGATIVE_INFINITY;
  private nextId = 1;
  private current: Path | undefined;
  private stalledNow = false;
  private readonly onAbandoned: (pathId: number) => void;
  /** Given-up path ids whose packet-number spaces the peer still keeps, as far as we know. */
  private readonly abandonedUntold = new Set<number>();

  /** @param onAbandoned the peer has to be told that this path id is used no more. */
  constructor(
    settings: TransportSettings,
    owner: PacketOwner,
    emit: (event: ConnectionEvent) => void,
    onAbandoned: (pathId: number) => void,
  ) {
    this.settings = settings;
    this.owner = owner;
    this.emit = emit;
    this.onAbandoned = onAbandoned;
  }

  get all(): readonly Path[] {
    return this.paths;
  }

  /** The path that carries data. */
  get active(): Path | undefined {
    return this.current;
  }

  /** No path works. */
  get isStalled(): boolean {
    return this.stalledNow;
  }

  byId(id: number): Path | undefined {
    for (const path of this.paths) if (path.id === id) return path;
    return undefined;
  }

  byRoute(route: Route): Path | undefined {
    for (const path of this.paths) if (path.route === route) return path;
    return undefined;
  }

  /**
   * Opens a path to a route that has proved itself, or takes a given-up one into use again.
   * @param rttMs of the challenge, where there was one.
   * @returns undefined where there are enough paths that work.
   */
  open(nowMs: number, route: Route, rttMs: number | undefined): Path | undefined {
    const known = this.byRoute(route);
    if (known !== undefined && known.state !== "failed") {
      known.lastHeardAtMs = nowMs;
      // That a challenge passes does not say that data do: a suspect path has to acknowledge something.
      if (known.state === "suspect") known.askAgain();
      this.select();
      return known;
    }
    if (known !== undefined) known.restart(nowMs, this.settings.datagramBytes);
    const path = known ?? this.create(nowMs, route);
    if (path === undefined) return undefined;
    if (rttMs !== undefined) path.rtt.sample(rttMs, 0);
    this.emit({ type: "path-validated", path });
    this.select();
    return path;
  }

  /** Path ids are never used twice, and the peer bears with so many; beyond, a path that is not needed leads elsewhere. */
  private create(nowMs: number, route: Route): Path | undefined {
    const spacesAtPeer = this.paths.length + this.abandonedUntold.size;
    if (this.paths.length < PATHS_MAX && spacesAtPeer < RECEIVE_SPACES_MAX && this.nextId <= PATH_ID_MAX) {
      const path = new Path(this.nextId++, route, nowMs, this.settings, this.owner);
      this.paths.push(path);
      return path;
    }
    const path = this.leastNeeded();
    if (path === undefined) return undefined;
    path.route = route;
    // Its packet numbers go on.
    path.restart(nowMs, this.settings.datagramBytes);
    return path;
  }

  /** @returns never the path in use, nor a relay that works: it is the way back. */
  private leastNeeded(): Path | undefined {
    const others = this.paths.filter((path) => path !== this.current);
    const ofState = (state: PathState, via?: Via) =>
      others.find((path) => path.state === state && (via === undefined || path.via === via));
    const slowest = others
      .filter((path) => path.state === "working" && path.via === "direct")
      .sort((a, b) => b.rttMs - a.rttMs)[0];
    return ofState("failed") ?? ofState("suspect", "direct") ?? slowest ?? ofState("suspect");
  }

  /** The other end of this path is reached elsewhere now: its NAT gave it another address. */
  move(nowMs: number, path: Path, route: Route, rttMs: number): void {
    path.route = route;
    path.movedAtMs = nowMs;
    path.restart(nowMs, this.settings.datagramBytes);
    path.rtt.sample(rttMs, 0);
    this.emit({ type: "path-validated", path });
    if (path === this.current) this.emit({ type: "active-path", path });
    this.select();
  }

  /** The peer knows that this path is used no more. */
  onAbandonedTold(pathId: number): void {
    this.abandonedUntold.delete(pathId);
  }

  /** Gives a path up for good: its route is of no use any more. */
  drop(nowMs: number, path: Path): void {
    path.abandonInFlight(nowMs);
    path.state = "failed";
    path.active = false;
    if (path === this.current) this.current = undefined;
    // Once all ids are used up, an id is kept for the next route.
    if (this.nextId <= PATH_ID_MAX) {
      this.paths.splice(this.paths.indexOf(path), 1);
      this.abandonedUntold.add(path.id);
      this.onAbandoned(path.id);
    }
    this.select();
  }

  /** A probe timeout has passed there. */
  onProbeTimeout(path: Path): void {
    if (path.ptoCount === 1 && path.state === "working") this.emit({ type: "path-doubted", path });
  }

  /** Looks at the state of every path after acknowledgements and timeouts, and chooses anew. */
  review(nowMs: number): void {
    for (const path of this.paths) {
      if (path.state === "failed") continue;
      path.demoted = path.quality.review(nowMs);
      const wasWorking = path.state === "working";
      path.state = path.isSuspect ? "suspect" : "working";
      if (path.state === "working") {
        if (!wasWorking) path.outageEndedMs = nowMs;
        continue;
      }
      if (wasWorking) path.suspectSinceMs = nowMs;
      if (this.hasOther(path) && nowMs - path.suspectSinceMs > PATH_FAIL_MS) {
        path.abandonInFlight(nowMs);
        path.state = "failed";
        this.emit({ type: "path-failed", path });
      }
    }
    this.select();
  }

  /** @returns the best path that works beside this one. */
  alternative(to: Path): Path | undefined {
    const others = this.paths.filter((path) => path !== to && path.state === "working");
    return this.settings.selectPath(others, undefined);
  }

  private hasOther(path: Path): boolean {
    return this.paths.some((other) => other !== path && other.state === "working");
  }

  private select(): void {
    let working = false;
    let anyFailed = false;
    for (const { state } of this.paths) {
      if (state === "working") working = true;
      else if (state === "failed") anyFailed = true;
    }
    // Asked with most packets: a list of its own is made only where one is needed.
    const usable = anyFailed ? this.paths.filter((path) => path.state !== "failed") : this.paths;
    const chosen = this.settings.selectPath(usable, this.current);
    if (chosen !== undefined && chosen !== this.current) this.activate(chosen);
    if (this.stalledNow === working) {
      this.stalledNow = !working;
      this.emit({ type: working ? "recovered" : "stalled" });
    }
  }

  private activate(path: Path): void {
    const before = this.current;
    if (before !== undefined) {
      before.active = false;
      // What a silent path still holds goes again over the new one; an acknowledgement that comes late is still welcome.
      if (before.state !== "working") this.requeue(before);
    }
    path.active = true;
    path.appLimited = true;
    this.current = path;
    this.emit({ type: "active-path", path });
  }

  /** Hands the data that this path holds in flight to whichever path is active; the packets stay in flight. */
  requeue(path: Path): void {
    path.forEachInFlight((packet) => {
      if (!packet.requeued) {
        packet.requeued = true;
        this.owner.onPacketLost(packet);
      }
      return true;
    });
  }

  /** The host's network changed, or it woke up: old silence means nothing, ask every path at once. */
  revive(): void {
    for (const path of this.paths) {
      if (path.state === "failed") continue;
      path.askAgain();
    }
  }
}
