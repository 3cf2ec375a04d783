// The sending half of a stream (RFC 9000 §3.1): its bytes, its FIN, its reset, and the credit that the peer gave it.

import type { ByteWriter } from "../base/byte-writer.ts";
import { writeResetStream } from "../wire/frame-encoder.ts";
import type { ControlFrame } from "./control-queue.ts";
import { SendCredit } from "./flow-control.ts";
import { SendBuffer } from "./send-buffer.ts";

export class SendHalf implements ControlFrame {
  readonly streamId: number;
  readonly buffer = new SendBuffer();
  readonly credit: SendCredit;
  private finWanted = false;
  private finInFlight = false;
  private finAcked = false;
  private resetCode: number | undefined;
  private resetAcked = false;
  /** The writer was told to pause. */
  paused = false;

  constructor(streamId: number, creditBytes: number) {
    this.streamId = streamId;
    this.credit = new SendCredit(creditBytes);
  }

  get isOpen(): boolean {
    return !this.finWanted && this.resetCode === undefined;
  }

  get wasReset(): boolean {
    return this.resetCode !== undefined;
  }

  /** Everything, with the FIN or the reset, has been acknowledged. */
  get isDone(): boolean {
    return this.resetAcked || (this.finAcked && this.buffer.isAllAcked && this.resetCode === undefined);
  }

  finish(): void {
    this.finWanted = true;
  }

  /** @returns false when everything was delivered already, so that there is nothing to reset. */
  reset(code: number): boolean {
    if (this.resetCode !== undefined || this.isDone) return false;
    this.resetCode = code;
    this.buffer.clear();
    return true;
  }

  /** Bytes of new data that may go, by the stream's own credit. */
  get newBytes(): number {
    return Math.min(this.buffer.endOffset - this.buffer.sentOffset, this.credit.availableBytes);
  }

  private get finDue(): boolean {
    return this.finWanted && !this.finInFlight && !this.finAcked;
  }

  /** @param connectionCreditBytes how much new data the connection's credit allows. */
  hasToSend(connectionCreditBytes: number): boolean {
    if (this.resetCode !== undefined) return false;
    if (this.buffer.hasLost) return true;
    if (this.newBytes > 0) return connectionCreditBytes > 0;
    return this.finDue && this.buffer.sentOffset === this.buffer.endOffset;
  }

  /** @returns whether a frame that ends at `end` carries the FIN. */
  takesFin(end: number): boolean {
    return this.finWanted && end === this.buffer.endOffset;
  }

  onFrameSent(offset: number, lengthBytes: number, fin: boolean): void {
    this.buffer.onSent(offset, lengthBytes);
    if (fin) this.finInFlight = true;
  }

  /** @returns whether held bytes became fewer or the half is done. */
  onFrameAcked(offset: number, lengthBytes: number, fin: boolean): boolean {
    if (this.resetCode !== undefined) return false;
    if (fin) this.finAcked = true;
    return this.buffer.onAcked(offset, lengthBytes) || fin;
  }

  onFrameLost(offset: number, lengthBytes: number, fin: boolean): void {
    if (this.resetCode !== undefined) return;
    if (fin && !this.finAcked) this.finInFlight = false;
    if (lengthBytes > 0) this.buffer.onLost(offset, lengthBytes);
  }

  // As a control frame, a half is its own RESET_STREAM.

  readonly bytesMax = 1 + 8 + 8 + 8;

  isWanted(): boolean {
    return this.resetCode !== undefined && !this.resetAcked;
  }

  write(writer: ByteWriter): void {
    writeResetStream(writer, this.streamId, this.resetCode as number, this.buffer.sentOffset);
  }

  onAcked(): void {
    this.resetAcked = true;
  }
}
