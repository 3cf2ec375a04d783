// The receiving half of a stream (RFC 9000 §3.2): bytes in order for a reader, the final size, and both windows' accounts.

import { closeCode, ProtocolError } from "../base/protocol-error.ts";
import { type ConnectionWindow, StreamWindow } from "./flow-control.ts";
import { ReceiveBuffer, type SpareBlocks } from "./receive-buffer.ts";

export class ReceiveHalf {
  readonly window: StreamWindow;
  private readonly connectionWindow: ConnectionWindow;
  private readonly buffer: ReceiveBuffer;
  private finalSize: number | undefined;
  private resetReceived = false;
  private discarding = false;
  /** The reader was told that something can be read and has not read to the end since. */
  announced = false;

  constructor(windowBytes: number, windowBytesMax: number, connectionWindow: ConnectionWindow, spare?: SpareBlocks) {
    this.buffer = new ReceiveBuffer(spare);
    this.window = new StreamWindow(windowBytes, windowBytesMax, connectionWindow);
    this.connectionWindow = connectionWindow;
  }

  /** Every byte up to the FIN was read. */
  get isEnded(): boolean {
    return !this.resetReceived && this.finalSize !== undefined && this.buffer.readOffset === this.finalSize;
  }

  get wasReset(): boolean {
    return this.resetReceived;
  }

  /** Nothing more will come that anybody wants. */
  get isDone(): boolean {
    return this.resetReceived || this.isEnded || (this.discarding && this.finalSize !== undefined);
  }

  get isDiscarding(): boolean {
    return this.discarding;
  }

  /** No more than this is still expected, so no more credit is needed. */
  get isSizeKnown(): boolean {
    return this.finalSize !== undefined;
  }

  /** Memory that is held for what was received, in bytes. */
  get memoryBytes(): number {
    return this.buffer.memoryBytes;
  }

  get hasNews(): boolean {
    return this.buffer.hasReadable || this.isEnded;
  }

  /** @throws ProtocolError when a limit or the final size is broken. */
  onFrame(offset: number, bytes: Uint8Array, start: number, end: number, fin: boolean): void {
    const last = offset + end - start;
    if (this.finalSize !== undefined && (last > this.finalSize || (fin && last !== this.finalSize))) {
      throw new ProtocolError(closeCode.finalSize, `stream data up to ${last}, final size ${this.finalSize}`);
    }
    if (fin && last < this.buffer.highestOffset) {
      throw new ProtocolError(closeCode.finalSize, `final size ${last} below ${this.buffer.highestOffset} received`);
    }
    this.countUpTo(last);
    if (fin) this.finalSize = last;
    if (this.resetReceived || this.discarding) {
      // Still counted as received, and given up at once; the offset alone is remembered.
      this.buffer.skipTo(last);
      this.consumeRest();
      return;
    }
    this.buffer.insert(offset, bytes, start, end);
  }

  /** @returns whether this is news. @throws ProtocolError when a limit or the final size is broken. */
  onReset(finalSize: number): boolean {
    if (finalSize < this.buffer.highestOffset || (this.finalSize !== undefined && this.finalSize !== finalSize)) {
      throw new ProtocolError(closeCode.finalSize, `reset at ${finalSize}, ${this.buffer.highestOffset} received`);
    }
    if (this.resetReceived || this.isEnded) return false;
    this.countUpTo(finalSize);
    this.finalSize = finalSize;
    this.resetReceived = true;
    this.consumeRest();
    this.buffer.clear();
    return true;
  }

  private countUpTo(last: number): void {
    const fresh = last - this.window.receivedBytes;
    if (fresh <= 0) return;
    this.window.onReceived(fresh);
    this.connectionWindow.onReceived(fresh);
  }

  /** Gives the credit of unread bytes back to the connection. */
  private consumeRest(): void {
    const unread = this.window.receivedBytes - this.window.consumedBytes;
    this.window.onConsumed(unread);
    this.connectionWindow.onConsumed(unread);
  }

  /** The reader wants no more. */
  discard(): void {
    if (this.discarding) return;
    this.discarding = true;
    this.consumeRest();
    this.buffer.clear();
  }

  /** The reader is done with the views that it was given so far. */
  release(): void {
    this.buffer.release();
  }

  /** @returns the next bytes in order, or undefined. */
  read(): Uint8Array | undefined {
    if (this.discarding || this.resetReceived) return undefined;
    const view = this.buffer.read();
    if (view === undefined) {
      this.announced = false;
      // The end was read: the block that it lay in waits for nothing.
      if (this.isEnded) this.buffer.clear();
      return undefined;
    }
    this.window.onConsumed(view.length);
    this.connectionWindow.onConsumed(view.length);
    return view;
  }
}
