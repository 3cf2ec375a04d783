// Tells when something can be read from a descriptor: in each turn of the event loop in which it can, or, as long as it is asked to pause
// after every read, once that time is over, whether there is anything or not. libuv is left out meanwhile: a descriptor that it
// watches wakes it up.

import { FineTimer } from "./fine-timer.ts";
import type { DescriptorWatch, Libc } from "./libc.ts";

export class PausingWatch {
  private readonly libc: Libc;
  private readonly watch: DescriptorWatch;
  private readonly onReadable: (readable: boolean) => void;
  /** Null before the first pause, undefined where there is none to be had. */
  private timer: FineTimer | undefined | null = null;
  private isPaused = false;

  /** @param onReadable as that of `Libc.watch`. @returns undefined where the descriptor cannot be watched. */
  static open(libc: Libc, fd: number, onReadable: (readable: boolean) => void): PausingWatch | undefined {
    const watch = libc.watch(fd, onReadable);
    return watch === undefined ? undefined : new PausingWatch(libc, watch, onReadable);
  }

  private constructor(libc: Libc, watch: DescriptorWatch, onReadable: (readable: boolean) => void) {
    this.libc = libc;
    this.watch = watch;
    this.onReadable = onReadable;
  }

  /** Tells in so many ms; 0: of the next that comes. Where the machine has no timer that is fine enough, there is no pause. */
  pause(ms: number): void {
    const timer = ms > 0 ? this.openTimer() : undefined;
    if (timer !== undefined) {
      if (!this.isPaused) this.watch.stop();
      this.isPaused = true;
      timer.set(ms);
    } else if (this.isPaused) {
      this.isPaused = false;
      if (!this.watch.start()) this.onReadable(false);
    }
  }

  private openTimer(): FineTimer | undefined {
    if (this.timer === null) {
      this.timer = FineTimer.open(this.libc);
      this.timer?.start(() => this.onReadable(true));
    }
    return this.timer;
  }

  close(): void {
    this.watch.close();
    this.timer?.close();
  }
}
