// A peer that breaks the rules of the protocol. It is thrown only after the packet was
// authenticated, is caught where the packet was handled, and becomes a CLOSE with its code.

/** Codes of a CLOSE frame; SPEC.md lists them. */
export const closeCode = {
  /** Closed on purpose; nothing is wrong. */
  none: 0x00,
  /** More data than the limit allows. */
  flowControl: 0x03,
  /** More streams than the limit allows. */
  streamLimit: 0x04,
  /** A frame for a stream in a state that forbids it. */
  streamState: 0x05,
  /** The final size of a stream changed. */
  finalSize: 0x06,
  /** A frame that cannot be read. */
  frameEncoding: 0x07,
  /** Any other violation. */
  violation: 0x0a,
  /** The peer is going away: its process ends, or it has no room for us. */
  goingAway: 0x10,
  /** A newer connection between the same two instances took over. */
  replaced: 0x11,
  /** Nothing came from the peer for longer than the idle timeout. Never sent. */
  idle: 0x12,
  /** The peer no longer knows this connection: its process was started anew. Never sent. */
  peerRestarted: 0x13,
} as const;

export type CloseCode = number;

/** The peer broke a rule; the connection closes with `code`. */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
  readonly code: CloseCode;

  constructor(code: CloseCode, message: string) {
    super(message);
    this.code = code;
  }
}
