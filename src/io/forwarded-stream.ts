// What forwarding needs of a stream of the tunnel, and nothing more: the transport's Stream is one. Tests put a pair of streams
// in memory in its place.

export interface ForwardedStream {
  /** Copies the chunk, which is the caller's again. @returns false: pause until the stream is writable again. */
  write(nowMs: number, chunk: Uint8Array): boolean;
  /** The most that should be written at a time. */
  readonly chunkBytes: number;
  /** Nothing more will be written: a half-close. */
  finish(nowMs: number): void;
  /** Gives up what was written and not delivered. */
  reset(nowMs: number, code: number): void;
  /** Asks the peer to give up what it writes. */
  stopSending(nowMs: number, code: number): void;
  /**
   * @returns the next bytes in order, or undefined while there are none. Reading is what grants the peer more. The bytes are the
   * caller's until it calls `release`, and for good if it never does.
   */
  read(): Uint8Array | undefined;
  /** The caller is done with all that it has read: its memory may be used again. */
  release(): void;
  /** Every byte up to the peer's half-close was read. */
  readonly readEnded: boolean;
}
