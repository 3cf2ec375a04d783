// Blocks of receive and send buffers that nobody looks at any more, for the next that need one. A fresh block is 16 KiB or more outside
// the collected heap, and V8 marks the whole heap again for every few dozen megabytes of those: at 1 Gbit/s a receiver that took a
// fresh block for every 16 KiB spent a quarter of its time on that, a sender a fifth. Recycled bytes are not cleared: a buffer hands
// out only what was written into it.

import {
  FREE_BLOCKS_MAX,
  FREE_SEND_BLOCKS_MAX,
  RECEIVE_BLOCK_BYTES,
  SEND_BLOCK_BYTES,
  SEND_BLOCK_BYTES_MIN,
} from "../base/limits.ts";

export class BlockPool {
  private readonly blockBytes: number;
  private readonly freeMax: number;
  private readonly free: Uint8Array[] = [];

  constructor(blockBytes = RECEIVE_BLOCK_BYTES, freeMax = FREE_BLOCKS_MAX) {
    this.blockBytes = blockBytes;
    this.freeMax = freeMax;
  }

  /** @returns a block of the wanted size; only full ones are ever used again. */
  take(bytes: number): Uint8Array {
    const recycled = bytes === this.blockBytes ? this.free.pop() : undefined;
    return recycled ?? new Uint8Array(bytes);
  }

  /** @param block a full one that nobody reads from any more. */
  give(block: Uint8Array): void {
    if (this.free.length < this.freeMax) this.free.push(block);
  }
}

/** One for all connections: what one has emptied serves any other. */
export const receiveBlocks = new BlockPool();
export const sendBlocks = new BlockPool(SEND_BLOCK_BYTES, FREE_SEND_BLOCKS_MAX);
export const smallSendBlocks = new BlockPool(SEND_BLOCK_BYTES_MIN, FREE_SEND_BLOCKS_MAX);
