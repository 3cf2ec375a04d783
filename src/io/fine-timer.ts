// A timer of the kernel (timerfd_create(2)) whose end libuv is told of like that of bytes on a socket. Node's own timers count whole
// milliseconds and come up to two late; a paced sender on a link of 10 Mbit/s has a packet for each, and sends them in pairs and threes to
// a queue that may have room for one.

import type { DescriptorWatch, Libc } from "./libc.ts";

/** struct itimerspec: interval and value, each of seconds and nanoseconds, in words of 64 bits … */
const SPEC_BYTES = 32;
/** … and where the low half of the value's nanoseconds lies, in words of 32. */
const NANOSECONDS_AT = 6;

export class FineTimer {
  private readonly libc: Libc;
  private readonly fd: number;
  private watch: DescriptorWatch | undefined;
  private onEnd = (): void => {};
  /** Whether it was set since it ended. */
  private isSet = false;
  private readonly spec = new Int32Array(new ArrayBuffer(SPEC_BYTES));
  private readonly specAddress: number;

  /** @returns undefined where the machine has none. It holds the event loop up until it is closed. */
  static open(libc: Libc | undefined): FineTimer | undefined {
    if (libc === undefined) return undefined;
    const fd = libc.timer();
    if (fd < 0) return undefined;
    const timer = new FineTimer(libc, fd);
    if (timer.watch !== undefined && timer.set(0)) return timer;
    timer.watch?.close();
    libc.close(fd);
    return undefined;
  }

  private constructor(libc: Libc, fd: number) {
    this.libc = libc;
    this.fd = fd;
    this.specAddress = libc.addressOf(new Uint8Array(this.spec.buffer));
    this.watch = libc.watch(fd, () => {
      this.isSet = false;
      this.onEnd();
      // It stays readable until it is set anew, which who was told has mostly done.
      if (!this.isSet) this.set(0);
    });
  }

  /** @param onEnd what to call whenever it ends; must not throw. */
  start(onEnd: () => void): void {
    this.onEnd = onEnd;
  }

  /** Ends once, after so long, at most a second; 0 is never. What was set before is forgotten. @returns false where it cannot be set. */
  set(afterMs: number): boolean {
    if (this.watch === undefined) return false;
    this.isSet = true;
    this.spec[NANOSECONDS_AT] = Math.min(999_999_999, Math.ceil(afterMs * 1e6));
    return this.libc.setTimer(this.fd, this.specAddress) === 0;
  }

  close(): void {
    if (this.watch === undefined) return;
    this.watch.close();
    this.watch = undefined;
    this.libc.close(this.fd);
  }
}
