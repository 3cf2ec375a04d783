// Which packet numbers of one space have been received (RFC 6479's idea: a ring of bits, cleared block by block as
// the window moves on). A number below the window counts as seen: too old to tell, so it is refused.

import { REPLAY_WINDOW_PACKETS } from "../base/limits.ts";

const WORDS = REPLAY_WINDOW_PACKETS / 32;

export class ReplayWindow {
  private readonly words = new Uint32Array(WORDS);
  private top = -1;

  /** The highest number marked so far, −1 before the first. */
  get highest(): number {
    return this.top;
  }

  /** @returns whether the number is new and inside the window or above it. */
  isFresh(packetNumber: number): boolean {
    if (packetNumber > this.top) return true;
    if (packetNumber + REPLAY_WINDOW_PACKETS - 32 <= this.top) return false;
    return !this.bit(packetNumber);
  }

  /** Marks a fresh number; only after its packet has been authenticated. */
  mark(packetNumber: number): void {
    const wordNumber = Math.floor(packetNumber / 32);
    const topWord = this.top < 0 ? -1 : Math.floor(this.top / 32);
    if (wordNumber > topWord) {
      const clear = Math.min(wordNumber - topWord, WORDS);
      for (let i = 0; i < clear; i++) this.words[(wordNumber - i) % WORDS] = 0;
    }
    if (packetNumber > this.top) this.top = packetNumber;
    const at = wordNumber % WORDS;
    this.words[at] = (this.words[at] as number) | (1 << (packetNumber % 32));
  }

  private bit(packetNumber: number): boolean {
    const word = this.words[Math.floor(packetNumber / 32) % WORDS] as number;
    return ((word >>> (packetNumber % 32)) & 1) === 1;
  }
}
