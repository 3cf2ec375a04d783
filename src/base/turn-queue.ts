// Who waits for a turn, first come first served, each once. A ring that is used again: a Set, which has the same order, makes new
// memory every few times that something is added and taken out, and here that happens with every packet.

/** What can stand in one queue. */
export interface Queueable {
  /** The queue's own. */
  inQueue: boolean;
}

export class TurnQueue<T extends Queueable> {
  private ring: (T | undefined)[] = [undefined, undefined];
  private head = 0;
  private count = 0;

  get size(): number {
    return this.count;
  }

  /** Whose turn it is. */
  get first(): T | undefined {
    return this.ring[this.head];
  }

  /** Puts `item` at the end, unless it stands in line already. */
  add(item: T): void {
    if (item.inQueue) return;
    item.inQueue = true;
    if (this.count === this.ring.length) this.grow();
    this.ring[(this.head + this.count++) & (this.ring.length - 1)] = item;
  }

  /** Takes the first one out. */
  removeFirst(): void {
    const item = this.first;
    if (item === undefined) return;
    item.inQueue = false;
    this.ring[this.head] = undefined;
    this.head = (this.head + 1) & (this.ring.length - 1);
    this.count--;
  }

  private grow(): void {
    const { ring, head } = this;
    this.ring = [...ring.slice(head), ...ring.slice(0, head), ...ring.map(() => undefined)];
    this.head = 0;
  }
}
