// What a frame may be: the types that stand in front of each, as SPEC.md lists them. Frames fill the sealed part of a
// data packet, one behind the other. All types are below 64, so that the byte is also its own varint.

/** The first byte of each frame. STREAM takes four values, ACK two: see the bits below. */
export const frameType = {
  padding: 0x00,
  ping: 0x01,
  ack: 0x02,
  resetStream: 0x04,
  stopSending: 0x05,
  stream: 0x08,
  maxData: 0x10,
  maxStreamData: 0x11,
  maxStreams: 0x12,
  pathChallenge: 0x1a,
  pathResponse: 0x1b,
  pathStatus: 0x1c,
  observedAddress: 0x1d,
  candidates: 0x20,
  punch: 0x21,
  datagram: 0x30,
  close: 0x3c,
} as const;

/** Bit of an ACK type: ECN counts stand behind the ranges. */
export const ACK_ECN_BIT = 0x01;
/** Bit of a STREAM type: the stream ends with these data. */
export const STREAM_FIN_BIT = 0x01;
/** Bit of a STREAM type: a length field is there; without it the data reach to the packet's end. */
export const STREAM_LENGTH_BIT = 0x02;

/** Bytes of the token of PATH_CHALLENGE and PATH_RESPONSE. */
export const PATH_TOKEN_BYTES = 8;

/** What PATH_STATUS says of a path. */
export const pathStatus = {
  /** It will not be used again. */
  abandoned: 0,
  /** It is kept alive but carries no data. */
  standby: 1,
  inUse: 2,
} as const;

/** A value of `pathStatus`. */
export type PathStatus = (typeof pathStatus)[keyof typeof pathStatus];
