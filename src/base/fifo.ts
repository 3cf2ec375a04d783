// First in, first out, in a ring that is used again: an array that is emptied lets its memory go and takes new memory with the next
// thing that is put in, and a Set does so every few times. Here that would happen with every packet.

export class Fifo<T> {
  private ring: (T | undefined)[] = [undefined, undefined];
  private head = 0;
  private count = 0;

  get size(): number {
    return this.count;
  }

  /** The one that has been here for longest. */
  get first(): T | undefined {
    return this.ring[this.head];
  }

  push(item: T): void {
    if (this.count === this.ring.length) this.grow();
    this.ring[(this.head + this.count++) & (this.ring.length - 1)] = item;
  }

  /** Takes the first one out. */
  shift(): T | undefined {
    const item = this.ring[this.head];
    if (this.count === 0) return undefined;
    this.ring[this.head] = undefined;
    this.head = (this.head + 1) & (this.ring.length - 1);
    this.count--;
    return item;
  }

  /** Takes `item` out, wherever it is; the others keep their order. For what happens seldom: it looks at all of them. */
  remove(item: T): void {
    for (let left = this.count; left > 0; left--) {
      const next = this.shift() as T;
      if (next !== item) this.push(next);
    }
  }

  private grow(): void {
    const { ring, head } = this;
    this.ring = [...ring.slice(head), ...ring.slice(0, head), ...ring.map(() => undefined)];
    this.head = 0;
  }
}

/** What can stand in a TurnQueue. */
export interface Queueable {
  /** The queue's own. */
  inQueue: boolean;
}

/** Who waits for a turn, each once. */
export class TurnQueue<T extends Queueable> {
  private readonly line = new Fifo<T>();

  get size(): number {
    return this.line.size;
  }

  /** Whose turn it is. */
  get first(): T | undefined {
    return this.line.first;
  }

  /** Puts `item` at the end, unless it stands in line already. */
  add(item: T): void {
    if (item.inQueue) return;
    item.inQueue = true;
    this.line.push(item);
  }

  /** Takes the first one out. */
  removeFirst(): void {
    const item = this.line.shift();
    if (item !== undefined) item.inQueue = false;
  }
}
