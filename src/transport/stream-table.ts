// All streams of a connection: who opened which, how many there may be, the connection's own windows, and filling a packet
// with STREAM frames in fair order.

import type { ByteWriter } from "../base/byte-writer.ts";
import { STREAM_WINDOW_BYTES_USUAL } from "../base/limits.ts";
import { closeCode, ProtocolError } from "../base/protocol-error.ts";
import { streamHeaderBytes, writeMaxData, writeMaxStreams, writeStreamHeader } from "../wire/frame-encoder.ts";
import type { TransportParameters } from "../wire/transport-parameters.ts";
import { dataInBatch } from "./batch-size.ts";
import { type BufferMemory, MemoryShare } from "./buffer-memory.ts";
import type { Connection } from "./connection.ts";
import type { ConnectionEvent } from "./connection-event.ts";
import type { ControlFrame, ControlQueue } from "./control-queue.ts";
import { ConnectionWindow, SendCredit } from "./flow-control.ts";
import { SpareBlocks } from "./receive-buffer.ts";
import { ReceiveHalf } from "./receive-half.ts";
import { SendHalf } from "./send-half.ts";
import { SendMemory } from "./send-memory.ts";
import type { SentPacket } from "./sent-packets.ts";
import { Stream, type StreamOwner } from "./stream.ts";
import { StreamScheduler } from "./stream-scheduler.ts";
import type { TransportSettings } from "./transport-settings.ts";

export class StreamTable implements StreamOwner {
  readonly connection: Connection;
  private readonly settings: TransportSettings;
  private readonly control: ControlQueue;
  private readonly emit: (event: ConnectionEvent) => void;
  private readonly streams = new Map<number, Stream>();
  private readonly scheduler = new StreamScheduler();
  /** The connection's own windows. */
  readonly window: ConnectionWindow;
  readonly credit = new SendCredit(0);
  private readonly spareBlocks = new SpareBlocks();
  /** The connection's part of the endpoint's memory. */
  readonly share: MemoryShare;
  private readonly sendMemory: SendMemory;
  private peerStreamBytes = 0;
  /** Low bit of the ids that this side opens. */
  private readonly parity: number;
  private openedHere = 0;
  private openedByPeer = 0;
  private allowedByPeer = 0;
  /** Streams that the peer may have opened in all, and what it was told of that. */
  private allowedHere: number;
  private announcedHere: number;
  private refusedOpen = false;

  private readonly maxDataFrame: ControlFrame;
  private readonly maxStreamsFrame: ControlFrame;

  constructor(
    connection: Connection,
    settings: TransportSettings,
    memory: BufferMemory,
    control: ControlQueue,
    emit: (event: ConnectionEvent) => void,
  ) {
    this.connection = connection;
    this.settings = settings;
    this.share = new MemoryShare(memory, () => {
      if (this.window.wantsUpdate) this.queueControl(this.maxDataFrame);
    });
    this.sendMemory = new SendMemory(this.share);
    this.control = control;
    this.emit = emit;
    this.parity = connection.role === "initiator" ? 0 : 1;
    this.window = new ConnectionWindow(settings.initialDataBytes, settings.dataBytesMax, this.share);
    this.allowedHere = settings.streamsMax;
    this.announcedHere = settings.streamsMax;
    this.maxDataFrame = {
      bytesMax: 1 + 8,
      isWanted: () => true,
      write: (writer, nowMs) => writeMaxData(writer, this.window.update(nowMs, this.rttMs())),
      onAcked: () => {},
    };
    this.maxStreamsFrame = {
      bytesMax: 1 + 8,
      isWanted: () => true,
      write: (writer) => {
        this.announcedHere = this.allowedHere;
        writeMaxStreams(writer, this.allowedHere);
      },
      onAcked: () => {},
    };
  }

  /** Every stream that is not closed. */
  get all(): Iterable<Stream> {
    return this.streams.values();
  }

  get openCount(): number {
    return this.streams.size;
  }

  /** Bytes of all streams that were written and are not acknowledged. */
  get heldBytes(): number {
    return this.sendMemory.heldBytes;
  }

  /** The peer's parameters came with the handshake. */
  onPeerParameters(parameters: TransportParameters): void {
    this.credit.raise(parameters.maxDataBytes);
    this.peerStreamBytes = parameters.maxStreamDataBytes;
    this.allowedByPeer = parameters.maxStreams;
  }

  rttMs(): number {
    return this.connection.rttMs;
  }

  /** @returns undefined while the peer allows no more; the event "streams-available" follows. */
  open(): Stream | undefined {
    if (this.openedHere >= this.allowedByPeer) {
      this.refusedOpen = true;
      return undefined;
    }
    const stream = this.create(this.openedHere++ * 2 + this.parity);
    // What opens a stream is as a rule a question, and the answer the larger part.
    const { window } = stream.receive;
    window.atLeast(this.usualWindowBytes);
    if (window.wantsUpdate) this.control.add(stream.maxDataFrame);
    return stream;
  }

  private get usualWindowBytes(): number {
    return Math.min(STREAM_WINDOW_BYTES_USUAL, this.window.freeBytes / (2 * this.streams.size));
  }

  private create(id: number): Stream {
    const send = new SendHalf(id, this.peerStreamBytes);
    const receive = new ReceiveHalf(
      this.settings.initialStreamDataBytes,
      this.settings.streamDataBytesMax,
      this.window,
      this.spareBlocks,
    );
    const stream = new Stream(id, this, send, receive);
    this.streams.set(id, stream);
    return stream;
  }

  /** @returns the stream of a frame from the peer, opened if it is new; undefined when it is long closed. */
  private forFrame(id: number): Stream | undefined {
    const known = this.streams.get(id);
    if (known !== undefined) return known;
    const index = Math.floor(id / 2);
    if (id % 2 === this.parity) {
      if (index >= this.openedHere) throw new ProtocolError(closeCode.streamState, `stream ${id} was never opened`);
      return undefined;
    }
    if (index < this.openedByPeer) return undefined;
    if (index >= this.allowedHere)
      throw new ProtocolError(closeCode.streamLimit, `stream ${id}, ${this.allowedHere} allowed`);
    // Opening one opens all below it (RFC 9000 §3.2).
    while (this.openedByPeer <= index) {
      const stream = this.create(this.openedByPeer * 2 + (1 - this.parity));
      this.openedByPeer++;
      this.emit({ type: "stream", stream });
    }
    return this.streams.get(id);
  }

  // ---- frames from the peer

  onStreamFrame(id: number, offset: number, fin: boolean, bytes: Uint8Array, start: number, end: number): void {
    const stream = this.forFrame(id);
    if (stream === undefined) return;
    const half = stream.receive;
    half.onFrame(offset, bytes, start, end, fin);
    if (this.window.wantsUpdate) this.control.add(this.maxDataFrame);
    this.announce(stream);
    if (half.isDiscarding || half.wasReset) {
      this.onRead(stream);
      this.onMaybeClosed(stream);
    }
  }

  private announce(stream: Stream): void {
    const half = stream.receive;
    if (half.announced || half.isDiscarding || half.wasReset || !half.hasNews) return;
    half.announced = true;
    this.emit({ type: "readable", stream });
  }

  onResetStreamFrame(id: number, code: number, finalSize: number): void {
    const stream = this.forFrame(id);
    if (stream === undefined) return;
    const wanted = !stream.receive.isDiscarding;
    if (!stream.receive.onReset(finalSize)) return;
    if (wanted) this.emit({ type: "stream-reset", stream, code });
    this.onRead(stream);
    this.onMaybeClosed(stream);
  }

  onStopSendingFrame(id: number, code: number): void {
    const stream = this.forFrame(id);
    if (stream === undefined || stream.send.isDone || stream.send.wasReset) return;
    // The answer to STOP_SENDING is a reset (RFC 9000 §3.5); the application is told why.
    stream.reset(0, code);
    this.emit({ type: "stop-sending", stream, code });
  }

  onMaxDataFrame(limitBytes: number): void {
    if (this.credit.raise(limitBytes)) this.scheduler.unblockAll();
  }

  onMaxStreamDataFrame(id: number, limitBytes: number): void {
    const stream = this.forFrame(id);
    if (stream?.send.credit.raise(limitBytes)) this.scheduler.add(stream);
  }

  onMaxStreamsFrame(count: number): void {
    if (count <= this.allowedByPeer) return;
    this.allowedByPeer = count;
    if (!this.refusedOpen) return;
    this.refusedOpen = false;
    this.emit({ type: "streams-available" });
  }

  // ---- what streams tell (StreamOwner)

  /** Of the path's window, what falls to one of the streams that send. */
  private get windowShareBytes(): number {
    return this.connection.windowBytes / Math.max(1, Math.min(this.streams.size, 16));
  }

  get chunkBytes(): number {
    return this.sendMemory.chunkBytes(this.streams.size, dataInBatch(this.connection.paths.active));
  }

  mayWriteOn(stream: Stream): boolean {
    return this.sendMemory.mayWrite(stream.send, this.windowShareBytes);
  }

  onWritten(stream: Stream, bytes: number): void {
    this.sendMemory.change(bytes);
    // A blocked stream waits for the connection's credit, which a write does not bring.
    this.scheduler.add(stream);
    this.connection.touch();
  }

  onReset(stream: Stream, bytes: number): void {
    this.sendMemory.change(-bytes);
    this.scheduler.remove(stream);
    stream.send.paused = false;
  }

  queueControl(frame: ControlFrame): void {
    this.control.add(frame);
    this.connection.touch();
  }

  onRead(stream: Stream): void {
    const half = stream.receive;
    let queued = false;
    if (half.window.wantsUpdate && stream.maxDataFrame.isWanted()) {
      half.window.atLeast(this.usualWindowBytes);
      this.control.add(stream.maxDataFrame);
      queued = true;
    }
    this.window.atLeast(half.window.currentWindowBytes * 1.5);
    if (this.window.wantsUpdate) {
      this.control.add(this.maxDataFrame);
      queued = true;
    }
    if (queued) this.connection.touch();
  }

  /** Forgets a stream whose halves are both done. */
  onMaybeClosed(stream: Stream): void {
    if (stream.closed || !stream.send.isDone || !stream.receive.isDone) return;
    stream.closed = true;
    this.streams.delete(stream.id);
    if (stream.queue !== "none") this.scheduler.remove(stream);
    if (stream.id % 2 !== this.parity) {
      this.allowedHere++;
      // As with windows, a new limit is worth a frame when half of the last one is used up.
      if (this.announcedHere - this.openedByPeer <= this.settings.streamsMax / 2)
        this.queueControl(this.maxStreamsFrame);
    }
    this.emit({ type: "stream-closed", stream });
  }

  // ---- sending

  get hasToSend(): boolean {
    for (;;) {
      const stream = this.scheduler.next;
      if (stream === undefined) return false;
      if (stream.send.hasToSend(this.credit.availableBytes)) return true;
      this.setAside(stream);
    }
  }

  private setAside(stream: Stream): void {
    if (stream.send.newBytes > 0 && !stream.send.wasReset) this.scheduler.block(stream);
    else this.scheduler.emptied(stream);
  }

  /** Fills the rest of a packet with STREAM frames and records them. @returns whether anything was written. */
  fill(writer: ByteWriter, packet: SentPacket): boolean {
    let wrote = false;
    while (writer.remainingBytes >= STREAM_FRAME_BYTES_MIN) {
      const stream = this.scheduler.next;
      if (stream === undefined) break;
      if (!stream.send.hasToSend(this.credit.availableBytes)) {
        this.setAside(stream);
        continue;
      }
      const bytes = this.writeFrame(writer, packet, stream.send);
      if (bytes < 0) break;
      wrote = true;
      this.scheduler.served(stream, bytes, this.connection.windowBytes);
      if (stream.send.paused) this.maybeResume(stream);
    }
    return wrote;
  }

  /** @returns the bytes of data in the frame, or −1 when it does not fit. */
  private writeFrame(writer: ByteWriter, packet: SentPacket, half: SendHalf): number {
    const buffer = half.buffer;
    const again = buffer.hasLost;
    const offset = again ? buffer.lostStart : buffer.sentOffset;
    const room = writer.remainingBytes - streamHeaderBytes(half.streamId, offset, undefined);
    if (room < 0) return -1;
    let length = again ? buffer.lostLength(room) : Math.min(half.newBytes, this.credit.availableBytes, room);
    // A frame that ends the packet needs no length; any other needs one, and has that much less room.
    let withLength: number | undefined;
    if (length < room) {
      const header = streamHeaderBytes(half.streamId, offset, length);
      length = Math.min(length, writer.remainingBytes - header);
      if (length < 0) return -1;
      withLength = length;
    }
    const fin = half.takesFin(offset + length);
    if (length === 0 && !fin) return -1;
    writeStreamHeader(writer, half.streamId, offset, withLength, fin);
    buffer.copy(offset, length, writer.bytes, writer.offset);
    writer.offset += length;
    if (!again) {
      half.credit.use(length);
      this.credit.use(length);
    }
    half.onFrameSent(offset, length, fin);
    packet.addRange(half, offset, length, fin);
    return length;
  }

  onFrameAcked(half: SendHalf, offset: number, lengthBytes: number, fin: boolean): void {
    const { buffer } = half;
    const beforeBytes = buffer.heldBytes;
    if (!half.onFrameAcked(offset, lengthBytes, fin)) return;
    this.sendMemory.change(buffer.heldBytes - beforeBytes);
    const stream = this.streams.get(half.streamId);
    if (stream === undefined || stream.send !== half) return;
    if (half.paused) this.maybeResume(stream);
    if (half.isDone) this.onMaybeClosed(stream);
  }

  private maybeResume(stream: Stream): void {
    const half = stream.send;
    if (!this.sendMemory.mayGoOn(half, this.windowShareBytes)) return;
    half.paused = false;
    if (half.isOpen) this.emit({ type: "writable", stream });
  }

  onFrameLost(half: SendHalf, offset: number, lengthBytes: number, fin: boolean): void {
    const stream = this.streams.get(half.streamId);
    if (stream === undefined || stream.send !== half) return;
    half.onFrameLost(offset, lengthBytes, fin);
    if (stream.queue === "blocked") this.scheduler.unblock(stream);
    else this.scheduler.add(stream);
  }

  /** A reset was acknowledged, perhaps the last thing that a stream waited for. */
  onControlAcked(frame: ControlFrame): void {
    frame.onAcked();
    if (!(frame instanceof SendHalf)) return;
    const stream = this.streams.get(frame.streamId);
    if (stream !== undefined) this.onMaybeClosed(stream);
  }

  /** The connection is over: every stream ends as if the peer had reset it, with code 0; the event "closed" says why. */
  closeAll(): void {
    for (const stream of this.streams.values()) {
      stream.closed = true;
      stream.send.buffer.clear();
      this.emit({ type: "stream-reset", stream, code: 0 });
      this.emit({ type: "stream-closed", stream });
    }
    this.streams.clear();
    this.sendMemory.clear();
  }
}

/** Below this a STREAM frame is mostly header. */
const STREAM_FRAME_BYTES_MIN = 24;
