// Who is here: peers, the instances of each, and the selectors by which an instance is meant. One identity may run as
// several processes at once, so a selector may have several instances; the latest to register it is meant, and when that
// one goes the one before serves again.

import { REGISTER_SELECTORS_GUARANTEED, REGISTER_SELECTORS_MAX, REGISTER_SELECTORS_POOL } from "../base/limits.ts";
import { SharedBudget } from "./shared-budget.ts";

/** What the registry has to know of an instance; keys are byteKeys. */
export interface RegistryEntry {
  readonly peerKey: string;
  readonly instanceKey: string;
  /** Kept by the registry. */
  readonly selectors: Set<string>;
  /** False while its session seems dead: another instance is preferred to it. */
  readonly responsive: boolean;
}

export type Absence = "peer-absent" | "selector-absent";

interface Peer<Entry> {
  readonly instances: Map<string, Entry>;
  /** The latest to register comes last. */
  readonly bySelector: Map<string, Entry[]>;
}

export class Registry<Entry extends RegistryEntry> {
  private readonly peers = new Map<string, Peer<Entry>>();
  private readonly budget = new SharedBudget(
    REGISTER_SELECTORS_GUARANTEED,
    REGISTER_SELECTORS_MAX,
    REGISTER_SELECTORS_POOL,
  );

  /**
   * Makes an instance known, or replaces what it registered before. A selector that it keeps keeps its place.
   * @param wanted as many of them as there is memory for are registered.
   * @returns the selectors that it can be reached by now and could not before, its instance id among them.
   */
  register(entry: Entry, wanted: readonly string[]): string[] {
    const peer = this.peers.get(entry.peerKey) ?? { instances: new Map(), bySelector: new Map() };
    this.peers.set(entry.peerKey, peer);
    const added: string[] = [];
    if (peer.instances.get(entry.instanceKey) !== entry) {
      peer.instances.set(entry.instanceKey, entry);
      added.push(entry.instanceKey);
    }
    const keep = new Set(wanted);
    for (const selector of [...entry.selectors]) if (!keep.has(selector)) this.remove(peer, entry, selector);
    for (const selector of keep) {
      if (entry.selectors.has(selector)) continue;
      if (!this.budget.take(entry.selectors.size)) break;
      entry.selectors.add(selector);
      const entries = peer.bySelector.get(selector);
      if (entries === undefined) peer.bySelector.set(selector, [entry]);
      else entries.push(entry);
      added.push(selector);
    }
    return added;
  }

  /** Forgets an instance; one that was never registered is nothing to forget. */
  leave(entry: Entry): void {
    const peer = this.peers.get(entry.peerKey);
    if (peer?.instances.get(entry.instanceKey) !== entry) return;
    for (const selector of [...entry.selectors]) this.remove(peer, entry, selector);
    peer.instances.delete(entry.instanceKey);
    if (peer.instances.size === 0) this.peers.delete(entry.peerKey);
  }

  /**
   * The instance that is meant by a selector: an instance id or one that was registered.
   * @param asker is never the answer: an agent has no need of the rendezvous to reach itself.
   */
  resolve(peerKey: string, selector: string, asker: Entry): Entry | Absence {
    const peer = this.peers.get(peerKey);
    if (peer === undefined) return "peer-absent";
    const instance = peer.instances.get(selector);
    if (instance !== undefined) return instance === asker ? "selector-absent" : instance;
    const entries = peer.bySelector.get(selector)?.filter((entry) => entry !== asker) ?? [];
    const others = peer.instances.size - (peer.instances.get(asker.instanceKey) === asker ? 1 : 0);
    return (
      entries.findLast((entry) => entry.responsive) ??
      entries.at(-1) ??
      (others > 0 ? "selector-absent" : "peer-absent")
    );
  }

  private remove(peer: Peer<Entry>, entry: Entry, selector: string): void {
    this.budget.giveBack(entry.selectors.size);
    entry.selectors.delete(selector);
    const left = peer.bySelector.get(selector)?.filter((other) => other !== entry) ?? [];
    if (left.length > 0) peer.bySelector.set(selector, left);
    else peer.bySelector.delete(selector);
  }
}
