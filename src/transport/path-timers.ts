// What has to happen on the paths of a connection when time passes: loss, probes, keepalives, and acknowledgements that are due.

import { DOUBT_COPIES_MAX, RESERVE_CHECK_MS, SECOND_LOOK_MS, SILENCE_MS } from "../base/limits.ts";
import { KeepaliveInterval } from "./keepalive-interval.ts";
import type { PacketOwner, Path } from "./path.ts";
import type { PathTable } from "./path-table.ts";
import type { ReceiveSpace } from "./receive-space.ts";

export class PathTimers {
  private readonly paths: PathTable;
  private readonly spaces: ReadonlyMap<number, ReceiveSpace>;
  private readonly fate: PacketOwner;
  private readonly keepalive: KeepaliveInterval;

  /** @param keepaliveMs an idle path that must stay open gets a packet this often. */
  constructor(paths: PathTable, spaces: ReadonlyMap<number, ReceiveSpace>, fate: PacketOwner, keepaliveMs: number) {
    this.paths = paths;
    this.spaces = spaces;
    this.fate = fate;
    this.keepalive = new KeepaliveInterval(keepaliveMs);
  }

  /** When something falls due, in ms. */
  get deadlineMs(): number {
    let at = Number.POSITIVE_INFINITY;
    for (const path of this.paths.all) {
      if (path.state === "failed") continue;
      at = Math.min(at, path.recoveryAtMs, path.pacingAtMs, this.keepaliveAtMs(path));
    }
    // Without any path there is nowhere to acknowledge to.
    if (this.paths.active === undefined) return at;
    for (const space of this.spaces.values()) at = Math.min(at, space.ackDueAtMs);
    return at;
  }

  private keepaliveAtMs(path: Path): number {
    if (path.pingWanted) return Number.POSITIVE_INFINITY;
    const atMs = path.lastSentAtMs + this.intervalMs(path);
    return Math.min(atMs, path.active ? this.silenceAtMs(path) : this.nextLookAtMs(path));
  }

  private intervalMs(path: Path): number {
    return path.active || path.via === "direct" ? this.keepalive.ms : this.reserveMs(path);
  }

  /**
   * What is known of a young direct path that carries nothing is of the busy moment when the two met, or of the data that it carried
   * then. Whether it is better after all is looked at again in peace, each time after twice as long, until keepalives do it. Never
   * while an answer is due: who asks a dead path again and again puts off the probe timeout by which it is known to be dead.
   */
  private nextLookAtMs(path: Path): number {
    if (path.via === "relay" || path.sent.packetsInFlight > 0) return Number.POSITIVE_INFINITY;
    const lastMs = Math.max(path.lastElicitingAtMs, path.openedAtMs);
    const ageMs = Math.max(lastMs - path.openedAtMs, SECOND_LOOK_MS);
    return ageMs < this.keepalive.ms ? lastMs + ageMs : Number.POSITIVE_INFINITY;
  }

  /**
   * A relay in reserve is reached through the session with the rendezvous, which keeps the mapping; it only must not fall idle. While
   * data flow elsewhere it is asked more often, so that it is there should they need it: a rendezvous may have forgotten it.
   */
  private reserveMs(path: Path): number {
    const { dataHeardAtMs, dataSentAtMs } = this.paths;
    return Math.max(dataHeardAtMs, dataSentAtMs) > path.lastSentAtMs ? RESERVE_CHECK_MS : this.keepalive.ms * 3;
  }

  /** Who only receives has nothing in flight that would be missed: when the data cease, the path is asked once. */
  private silenceAtMs(path: Path): number {
    const { dataHeardAtMs } = this.paths;
    return dataHeardAtMs > path.lastElicitingAtMs ? dataHeardAtMs + SILENCE_MS : Number.POSITIVE_INFINITY;
  }

  handleTimeout(nowMs: number): void {
    for (const path of this.paths.all) this.onTimeout(nowMs, path);
    this.paths.review(nowMs);
    for (const path of this.paths.all) this.keepalive.observe(nowMs, path);
  }

  onNetworkChange(): void {
    this.keepalive.reset();
  }

  private onTimeout(nowMs: number, path: Path): void {
    if (path.state === "failed") return;
    if (nowMs >= this.keepaliveAtMs(path)) path.pingWanted = true;
    if (!path.onRecoveryTimeout(nowMs)) return;
    this.paths.onProbeTimeout(path);
    // Where another path carries the data, what this one still holds goes over that one.
    if (path.active) this.offerProbeData(path);
    else this.paths.requeue(path);
  }

  /**
   * The probes carry what has waited longest, as new packets; the old ones stay in flight (RFC 9002 §6.2.4). With the path in
   * doubt, another one that works carries these data, and the probe on this one whatever comes next.
   */
  private offerProbeData(path: Path): void {
    const other = this.paths.alternative(path);
    const wanted = other === undefined ? path.probesOwed : DOUBT_COPIES_MAX;
    let count = 0;
    path.forEachInFlight((packet) => {
      if (!packet.requeued && (packet.rangeCount > 0 || packet.control.length > 0)) {
        packet.requeued = true;
        this.fate.onPacketLost(packet);
        count++;
      }
      return count < wanted;
    });
    if (other === undefined) return;
    other.copiesOwed = count;
    // With nothing to copy it is asked whether it is there.
    if (count === 0) other.pingWanted = true;
  }
}
