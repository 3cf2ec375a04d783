// Stream 0 of the connection between an agent and its rendezvous, as messages. Both sides have one.

import type { Stream } from "../transport/stream.ts";
import {
  encodeRendezvousMessage,
  type RendezvousMessage,
  RendezvousMessageReader,
} from "../wire/rendezvous-message.ts";

/** What is needed of a transport stream; tests put their own in its place. */
export type ByteStream = Pick<Stream, "write" | "read" | "readEnded">;

export class MessageStream {
  private readonly stream: ByteStream;
  private readonly reader = new RendezvousMessageReader();
  private full = false;

  constructor(stream: ByteStream) {
    this.stream = stream;
  }

  /** The other side does not take what is sent: nothing more should be, until the event "writable". */
  get isFull(): boolean {
    return this.full;
  }

  /** The other side has said its last. */
  get isEnded(): boolean {
    return this.stream.readEnded;
  }

  /** Sends a message, also where isFull says that it should not be. */
  send(nowMs: number, message: RendezvousMessage): void {
    if (!this.stream.write(nowMs, encodeRendezvousMessage(message))) this.full = true;
  }

  /** The event "writable" came. */
  onWritable(): void {
    this.full = false;
  }

  /**
   * To be called until it returns undefined after each "readable".
   * @throws ProtocolError where the other side does not keep to the format.
   */
  receive(): RendezvousMessage | undefined {
    for (;;) {
      const message = this.reader.next();
      if (message !== undefined) return message;
      const bytes = this.stream.read();
      if (bytes === undefined) return undefined;
      this.reader.push(bytes);
    }
  }
}
