// One bidirectional stream, as the application sees it: bytes, half-close and reset, each way on its own.

import { assert } from "../base/assert.ts";
import type { ByteWriter } from "../base/byte-writer.ts";
import { writeMaxStreamData, writeStopSending } from "../wire/frame-encoder.ts";
import type { Connection } from "./connection.ts";
import type { ControlFrame } from "./control-queue.ts";
import type { ReceiveHalf } from "./receive-half.ts";
import type { SendHalf } from "./send-half.ts";

/** What a stream needs of the table that it stands in. */
export interface StreamOwner {
  readonly connection: Connection;
  /** The most that a writer should bring at a time. */
  readonly chunkBytes: number;
  /** Whether the writer may go on; if not, the event "writable" follows. */
  mayWriteOn(stream: Stream): boolean;
  /** @param bytes how many were written. */
  onWritten(stream: Stream, bytes: number): void;
  /** @param bytes how many were held, and are no more. */
  onReset(stream: Stream, bytes: number): void;
  queueControl(frame: ControlFrame): void;
  onRead(stream: Stream): void;
  onMaybeClosed(stream: Stream): void;
  rttMs(): number;
}

export class Stream {
  readonly id: number;
  readonly send: SendHalf;
  readonly receive: ReceiveHalf;
  private readonly owner: StreamOwner;
  private stopCode: number | undefined;
  private stopAcked = false;
  private putBack: Uint8Array | undefined;
  closed = false;
  /** Scheduler's own: which queue the stream stands in, and what it sent since it came there. */
  queue: "none" | "fresh" | "old" | "blocked" = "none";
  servedBytes = 0;

  private maxData: ControlFrame | undefined;
  private stop: ControlFrame | undefined;

  constructor(id: number, owner: StreamOwner, send: SendHalf, receive: ReceiveHalf) {
    this.id = id;
    this.owner = owner;
    this.send = send;
    this.receive = receive;
  }

  // The two frames are made when they are wanted: most streams end before.

  /** MAX_STREAM_DATA of this stream. */
  get maxDataFrame(): ControlFrame {
    const { id, owner, receive } = this;
    this.maxData ??= {
      bytesMax: 1 + 8 + 8,
      isWanted: () => !receive.isSizeKnown && !receive.isDiscarding && !this.closed,
      write: (writer: ByteWriter, nowMs: number) => {
        writeMaxStreamData(writer, id, receive.window.update(nowMs, owner.rttMs()));
      },
      onAcked: () => {},
    };
    return this.maxData;
  }

  /** STOP_SENDING of this stream. */
  private get stopFrame(): ControlFrame {
    const { id, receive } = this;
    this.stop ??= {
      bytesMax: 1 + 8 + 8,
      isWanted: () => this.stopCode !== undefined && !this.stopAcked && !receive.isSizeKnown,
      write: (writer: ByteWriter) => writeStopSending(writer, id, this.stopCode as number),
      onAcked: () => {
        this.stopAcked = true;
      },
    };
    return this.stop;
  }

  get connection(): Connection {
    return this.owner.connection;
  }

  /**
   * Queues bytes. They are copied: the chunk is the caller's again.
   * @returns false when the writer should pause until the event "writable"; the bytes were taken all the same.
   */
  write(_nowMs: number, chunk: Uint8Array): boolean {
    if (!this.send.isOpen || this.closed) return true;
    if (chunk.length === 0) return !this.send.paused;
    this.send.buffer.write(chunk);
    this.owner.onWritten(this, chunk.length);
    // Once told to pause, the writer is told so again until the event: it may be waiting for it already.
    if (!this.send.paused) this.send.paused = !this.owner.mayWriteOn(this);
    return !this.send.paused;
  }

  /** The most that should be written at a time. */
  get chunkBytes(): number {
    return this.owner.chunkBytes;
  }

  /** Half-closes: the peer reads to the end and sees FIN. */
  finish(_nowMs: number): void {
    if (!this.send.isOpen || this.closed) return;
    this.send.finish();
    this.owner.onWritten(this, 0);
  }

  /** Ends our sending half at once; what the peer has not got is lost. */
  reset(_nowMs: number, code: number): void {
    assert(code >= 0, "stream: negative code");
    const { heldBytes } = this;
    if (this.closed || !this.send.reset(code)) return;
    this.owner.queueControl(this.send);
    this.owner.onReset(this, heldBytes);
  }

  /** Asks the peer to end its sending half; what it sends from now on is thrown away. */
  stopSending(_nowMs: number, code: number): void {
    if (this.closed || this.receive.isDone || this.stopCode !== undefined) return;
    this.stopCode = code;
    this.receive.discard();
    this.owner.queueControl(this.stopFrame);
    this.owner.onRead(this);
    this.owner.onMaybeClosed(this);
  }

  /**
   * @returns the next bytes in order, or undefined; reading gives the peer credit. The view is the caller's until it calls
   * `release`, and for good if it never does.
   */
  read(): Uint8Array | undefined {
    const back = this.putBack;
    if (back !== undefined) {
      this.putBack = undefined;
      return back;
    }
    const view = this.receive.read();
    if (view !== undefined) this.owner.onRead(this);
    else this.owner.onMaybeClosed(this);
    return view;
  }

  /** The caller looks at no view any more that `read` has returned: a busy reader that says so spares the garbage collector most of its work. */
  release(): void {
    if (this.putBack === undefined) this.receive.release();
  }

  /** Puts bytes back that were read too far: the next read returns them. */
  unread(bytes: Uint8Array): void {
    assert(this.putBack === undefined, "stream: bytes are put back once");
    if (bytes.length > 0) this.putBack = bytes;
  }

  /** Every byte up to the peer's FIN was read. */
  get readEnded(): boolean {
    return this.putBack === undefined && this.receive.isEnded;
  }

  /** Bytes written and not yet acknowledged. */
  get heldBytes(): number {
    return this.send.buffer.heldBytes;
  }
}
