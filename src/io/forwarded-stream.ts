// What forwarding needs of a stream of the tunnel, and nothing more: the transport's Stream is one. Tests put a pair of streams
// in memory in its place.

export interface ForwardedStream {
  /** Takes the chunk and keeps it: nobody may change it. @returns false: pause until the stream is writable again. */
  write(nowMs: number, chunk: Uint8Array): boolean;
  /** Nothing more will be written: a half-close. */
  finish(nowMs: number): void;
  /** Gives up what was written and not delivered. */
  reset(nowMs: number, code: number): void;
  /** Asks the peer to give up what it writes. */
  stopSending(nowMs: number, code: number): void;
  /** @returns the next bytes in order, which are the caller's, or undefined while there are none. Reading is what grants the peer more. */
  read(): Uint8Array | undefined;
  /** Every byte up to the peer's half-close was read. */
  readonly readEnded: boolean;
}
