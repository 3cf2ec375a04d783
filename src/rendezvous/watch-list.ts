// Agents that asked for a peer which was not here, and want to hear when it comes (PRESENT). Each wish is granted once:
// the agent then asks again, or no longer cares. The notices are paced, so that the arrival of a peer whom thousands wait for,
// who all ask for it at once then, floods neither it nor the rendezvous.

import {
  PRESENT_BATCH,
  PRESENT_INTERVAL_MS,
  WATCHES_GUARANTEED,
  WATCHES_PER_AGENT_MAX,
  WATCHES_POOL,
} from "../base/limits.ts";
import { SharedBudget } from "./shared-budget.ts";

/** A peer and a selector of it, as byteKeys. */
export interface Watch {
  readonly peerKey: string;
  readonly selector: string;
}

/** Who waits. */
export interface Watcher {
  /** Kept by the list, the oldest first. */
  readonly watches: Map<string, Watch>;
}

interface Notice<W> {
  readonly watcher: W;
  readonly key: string;
}

export class WatchList<W extends Watcher> {
  private readonly watchers = new Map<string, Set<W>>();
  /** Notices that are due, in order. A watcher that is gone meanwhile no longer has the watch. */
  private readonly due = new Set<Notice<W>>();
  private batchLeft = PRESENT_BATCH;
  private batchAtMs = Number.NEGATIVE_INFINITY;
  private readonly budget = new SharedBudget(WATCHES_GUARANTEED, WATCHES_PER_AGENT_MAX, WATCHES_POOL);

  /** Remembers a wish. An agent with too many of them loses its oldest. */
  add(watcher: W, watch: Watch): void {
    const key = keyOf(watch.peerKey, watch.selector);
    if (watcher.watches.has(key)) return;
    if (!this.budget.take(watcher.watches.size)) {
      const oldest = watcher.watches.keys().next().value;
      if (oldest === undefined) return;
      this.remove(watcher, oldest);
      if (!this.budget.take(watcher.watches.size)) return;
    }
    watcher.watches.set(key, watch);
    const watchers = this.watchers.get(key);
    if (watchers === undefined) this.watchers.set(key, new Set([watcher]));
    else watchers.add(watcher);
  }

  /** The wish has no more reason: the agent has found the peer by itself. */
  delete(watcher: W, peerKey: string, selector: string): void {
    const key = keyOf(peerKey, selector);
    if (watcher.watches.has(key)) this.remove(watcher, key);
  }

  /** Forgets an agent that is gone. */
  leave(watcher: W): void {
    for (const key of [...watcher.watches.keys()]) this.remove(watcher, key);
  }

  /** A peer can be reached by this selector now: whoever waited for it will be told. */
  arrived(peerKey: string, selector: string): void {
    const key = keyOf(peerKey, selector);
    for (const watcher of this.watchers.get(key) ?? []) this.due.add({ watcher, key });
    this.watchers.delete(key);
  }

  /** @returns the next notice that may go out now. */
  pollNotice(nowMs: number): { readonly watcher: W; readonly watch: Watch } | undefined {
    for (const notice of this.due) {
      if (nowMs >= this.batchAtMs + PRESENT_INTERVAL_MS) {
        this.batchAtMs = nowMs;
        this.batchLeft = PRESENT_BATCH;
      }
      if (this.batchLeft === 0) return undefined;
      this.due.delete(notice);
      const watch = notice.watcher.watches.get(notice.key);
      if (watch === undefined) continue;
      this.remove(notice.watcher, notice.key);
      this.batchLeft--;
      return { watcher: notice.watcher, watch };
    }
    return undefined;
  }

  /** @returns when pollNotice has something again, in ms, or Infinity. */
  pollTimeout(): number {
    return this.due.size > 0 ? this.batchAtMs + PRESENT_INTERVAL_MS : Number.POSITIVE_INFINITY;
  }

  private remove(watcher: W, key: string): void {
    this.budget.giveBack(watcher.watches.size);
    watcher.watches.delete(key);
    const watchers = this.watchers.get(key);
    watchers?.delete(watcher);
    if (watchers?.size === 0) this.watchers.delete(key);
  }
}

function keyOf(peerKey: string, selector: string): string {
  return peerKey + selector;
}
