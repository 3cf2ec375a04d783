// One end of a conversation without a transport: what the side under test wrote, as messages, and what it is to read.

import type { ByteStream } from "../../src/rendezvous/message-stream.ts";
import {
  encodeRendezvousMessage,
  type RendezvousMessage,
  RendezvousMessageReader,
} from "../../src/wire/rendezvous-message.ts";

export class MessagePipe implements ByteStream {
  readEnded = false;
  /** What write answers: whether more may be written at once. */
  takesMore = true;
  private readonly reader = new RendezvousMessageReader();
  private written: RendezvousMessage[] = [];
  private readonly toRead: Uint8Array[] = [];

  write(_nowMs: number, chunk: Uint8Array): boolean {
    this.reader.push(chunk);
    for (let message = this.reader.next(); message !== undefined; message = this.reader.next()) {
      this.written.push(message);
    }
    return this.takesMore;
  }

  read(): Uint8Array | undefined {
    return this.toRead.shift();
  }

  /** Lets the side under test read this message next. */
  put(message: RendezvousMessage): void {
    this.toRead.push(encodeRendezvousMessage(message));
  }

  /** What was written since the last call. */
  take(): RendezvousMessage[] {
    const { written } = this;
    this.written = [];
    return written;
  }
}
