// Streams that peers opened and that have not said yet what they want. The preamble is read here; a stream that is admitted is
// handed on with the application's first bytes put back, any other is reset. Where too many wait, the oldest of whoever has most of
// them makes room: streams that never speak cost their own opener's, and nobody else's.

import { PREAMBLE_WAIT_MAX } from "../base/limits.ts";
import { ProtocolError } from "../base/protocol-error.ts";
import type { Connection } from "../transport/connection.ts";
import type { Stream } from "../transport/stream.ts";
import { decodePreamble, PREAMBLE_BYTES_MAX, type Preamble } from "../wire/preamble.ts";
import { streamCode } from "../wire/stream-code.ts";
import type { Service } from "./service.ts";

export class IncomingStreams {
  /** What has come of each preamble so far. */
  private readonly waiting = new Map<Stream, Uint8Array>();
  /** The same streams by their connection, the oldest first. */
  private readonly byConnection = new Map<Connection, Set<Stream>>();

  has(stream: Stream): boolean {
    return this.waiting.has(stream);
  }

  /** A peer opened the stream. */
  add(nowMs: number, stream: Stream): void {
    this.waiting.set(stream, new Uint8Array(0));
    const { connection } = stream;
    const own = this.byConnection.get(connection);
    if (own === undefined) this.byConnection.set(connection, new Set([stream]));
    else own.add(stream);
    if (this.waiting.size <= PREAMBLE_WAIT_MAX) return;
    const oldest = this.oldestOfMost();
    this.delete(oldest);
    this.refuse(nowMs, oldest, streamCode.outOfResources);
  }

  private oldestOfMost(): Stream {
    let most: Set<Stream> | undefined;
    for (const streams of this.byConnection.values()) if (streams.size > (most?.size ?? 0)) most = streams;
    return most?.values().next().value as Stream;
  }

  /** The stream is gone, or reset by its opener. */
  delete(stream: Stream): void {
    if (!this.waiting.delete(stream)) return;
    const own = this.byConnection.get(stream.connection);
    own?.delete(stream);
    if (own?.size === 0) this.byConnection.delete(stream.connection);
  }

  /** The opener gave the stream up before it had said what it wants. */
  giveUp(nowMs: number, stream: Stream): void {
    this.delete(stream);
    this.refuse(nowMs, stream, streamCode.noLongerWanted);
  }

  /**
   * Reads what is there.
   * @param find the service that the preamble asks for, if its sender may use it.
   * @returns the service when the stream was admitted: the caller forwards it.
   */
  read(nowMs: number, stream: Stream, find: (preamble: Preamble) => Service | undefined): Service | undefined {
    let bytes = this.waiting.get(stream);
    if (bytes === undefined) return undefined;
    for (let chunk = stream.read(); chunk !== undefined; chunk = stream.read()) {
      const joined: Uint8Array = new Uint8Array(bytes.length + chunk.length);
      joined.set(bytes, 0);
      joined.set(chunk, bytes.length);
      bytes = joined;
      if (bytes.length >= PREAMBLE_BYTES_MAX) break;
    }
    const decoded = this.decode(bytes);
    if (decoded === "incomplete" && !stream.readEnded) {
      this.waiting.set(stream, bytes);
      return undefined;
    }
    this.delete(stream);
    const service = decoded === undefined || decoded === "incomplete" ? undefined : find(decoded.preamble);
    if (service === undefined || decoded === undefined || decoded === "incomplete") {
      this.refuse(nowMs, stream, streamCode.notAdmitted);
      return undefined;
    }
    stream.unread(bytes.subarray(decoded.consumedBytes));
    return service;
  }

  private decode(bytes: Uint8Array): ReturnType<typeof decodePreamble> | undefined {
    try {
      return decodePreamble(bytes);
    } catch (error) {
      if (error instanceof ProtocolError) return undefined;
      throw error;
    }
  }

  private refuse(nowMs: number, stream: Stream, code: number): void {
    stream.reset(nowMs, code);
    stream.stopSending(nowMs, code);
  }
}
