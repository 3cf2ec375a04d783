// A stream that carries packets in place of a UDP socket: a TCP connection or a WebSocket, to one other side. The driver takes it
// for one more socket. Nothing ever waits for it: what its connection does not take is queued, and what the queue has no room
// for is lost, so a slow one keeps nobody else waiting.

import type { SocketAddress } from "../base/address.ts";
import { STREAM_END_MS, STREAM_WRITE_BYTES } from "../base/limits.ts";
import { Transmit } from "../base/transmit.ts";
import type { DatagramCounters, DatagramHandlers, DatagramSocket } from "./datagram-socket.ts";
import { PacketQueue, type QueueBudget } from "./packet-queue.ts";
import { PacketSplitter } from "./packet-splitter.ts";

/** A connection as its carrier needs it. What happens to it is told by `received` and `onGone` of the carrier. */
export interface ByteStream {
  readonly localPort: number;
  readonly localHost: string;
  /** What was written and the kernel has not taken. */
  readonly bufferedBytes: number;
  /** The bytes are not touched again. `onTaken` follows in any case, however the connection ends. */
  write(bytes: Uint8Array, onTaken: () => void): void;
  /** Begins to call the carrier with what has come. */
  start(): void;
  /** Sends what was written, then the end. */
  end(): void;
  /** Ends at once. */
  destroy(): void;
}

export interface StreamCarrierOptions {
  readonly remote: SocketAddress;
  readonly budget: QueueBudget;
  /** Called once, when the connection is gone for whatever reason. */
  onClosed(): void;
}

/** Batches are copied out of it before anything else can happen, so that thousands of carriers need one between them. */
const sharedBatch = new Transmit();

export class StreamCarrier implements DatagramSocket {
  readonly remote: SocketAddress;
  readonly families: readonly (4 | 6)[];
  readonly counters: DatagramCounters = { sentDatagrams: 0, receivedDatagrams: 0, sendErrors: 0, receiveErrors: 0 };
  /** A packet of any size goes through whole. */
  readonly neverFragments = true;
  readonly transmit = sharedBatch;
  /** There is always room: older packets make it. */
  readonly ready = true;
  private readonly stream: ByteStream;
  private readonly queue: PacketQueue;
  private readonly splitter: PacketSplitter;
  private readonly onClosed: () => void;
  private handlers: DatagramHandlers | undefined;
  private ending: NodeJS.Timeout | undefined;
  private isGone = false;

  /** @param connect makes the stream, which calls back to the carrier from its `start` on. */
  constructor(options: StreamCarrierOptions, connect: (carrier: StreamCarrier) => ByteStream) {
    this.remote = options.remote;
    this.families = [options.remote.family];
    this.onClosed = options.onClosed;
    this.queue = new PacketQueue(options.budget);
    this.splitter = new PacketSplitter((packets) => this.onPackets(packets));
    this.stream = connect(this);
  }

  get localPort(): number {
    return this.stream.localPort;
  }

  get localHost(): string {
    return this.stream.localHost;
  }

  /** What waits for the other side in this process. */
  get heldBytes(): number {
    return this.queue.heldBytes;
  }

  start(handlers: DatagramHandlers): void {
    this.handlers = handlers;
    this.stream.start();
  }

  send(): void {
    const { buffer, lengthBytes, segmentBytes } = this.transmit;
    if (this.isGone || this.ending !== undefined || lengthBytes === 0) return;
    const droppedBefore = this.queue.droppedPackets;
    this.queue.push(buffer.slice(0, lengthBytes), segmentBytes);
    this.counters.sentDatagrams += Math.ceil(lengthBytes / segmentBytes);
    this.counters.sendErrors += this.queue.droppedPackets - droppedBefore;
    this.pump();
  }

  private pump(): void {
    while (this.stream.bufferedBytes < STREAM_WRITE_BYTES) {
      const bytes = this.queue.shift();
      if (bytes === undefined) break;
      this.stream.write(bytes, () => this.onTaken(bytes.length));
    }
    if (this.ending !== undefined && this.queue.isEmpty) this.stream.end();
  }

  private onTaken(lengthBytes: number): void {
    if (this.isGone) return;
    this.queue.release(lengthBytes);
    if (!this.queue.isEmpty) this.pump();
  }

  /** The stream brought bytes. @param isWhole they have to end with the end of a packet, as a WebSocket message does. */
  received(bytes: Uint8Array, isWhole = false): void {
    if (this.isGone) return;
    // Whoever sends anything but packets is none of ours.
    if (!this.splitter.push(bytes) || (isWhole && !this.splitter.isBetween)) this.refuse();
    this.handlers?.onAllRead();
  }

  /** The other side does not speak our protocol. */
  refuse(): void {
    this.counters.receiveErrors++;
    this.stream.destroy();
    this.onGone();
  }

  private onPackets(packets: Uint8Array): void {
    this.counters.receivedDatagrams++;
    this.handlers?.onDatagram(this.remote, packets);
  }

  /** The stream has ended, or failed. */
  onGone(): void {
    if (this.isGone) return;
    this.isGone = true;
    clearTimeout(this.ending);
    this.queue.clear();
    this.onClosed();
  }

  /** Ends it politely: what waits is sent, what is under way from the other side still comes in for a moment. */
  close(): void {
    if (this.isGone || this.ending !== undefined) return;
    this.ending = setTimeout(() => {
      this.stream.destroy();
      this.onGone();
    }, STREAM_END_MS);
    this.pump();
  }
}
