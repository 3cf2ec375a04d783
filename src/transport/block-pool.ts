// Blocks of receive buffers that nobody looks at any more, for the next that need one. A fresh block is 16 KiB outside the
// collected heap, and V8 marks the whole heap again for every few dozen megabytes of those: at 1 Gbit/s a receiver that takes a
// fresh block for every 16 KiB spent a quarter of its time on that. Recycled bytes are not cleared: a buffer hands out
// only what was written into it.

import { FREE_BLOCKS_MAX, RECEIVE_BLOCK_BYTES } from "../base/limits.ts";

export class BlockPool {
  private readonly free: Uint8Array[] = [];

  /** @returns a block of the wanted size; only full ones are ever used again. */
  take(bytes: number): Uint8Array {
    const recycled = bytes === RECEIVE_BLOCK_BYTES ? this.free.pop() : undefined;
    return recycled ?? new Uint8Array(bytes);
  }

  /** @param block a full one that nobody reads from any more. */
  give(block: Uint8Array): void {
    if (this.free.length < FREE_BLOCKS_MAX) this.free.push(block);
  }
}

/** One for all connections: what one has emptied serves any other. */
export const receiveBlocks = new BlockPool();
