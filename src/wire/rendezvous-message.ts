// The conversation of an agent with its rendezvous, on stream 0 of their connection: messages with a length in front.
// The stream delivers bytes in pieces of any size, so they are put together by a reader that is bounded by the
// longest message there can be.

import { readSocketAddress, type SocketAddress, socketAddressBytes, writeSocketAddress } from "../base/address.ts";
import { assert, unreachable } from "../base/assert.ts";
import { ByteReader, OutOfBounds } from "../base/byte-reader.ts";
import { ByteWriter, varintBytes } from "../base/byte-writer.ts";
import { REGISTER_SELECTORS_MAX, RENDEZVOUS_MESSAGE_BYTES_MAX } from "../base/limits.ts";
import { closeCode, ProtocolError } from "../base/protocol-error.ts";

/** Reasons of OPEN_FAILED. */
export const openFailedReason = { peerAbsent: 1, selectorAbsent: 2, tooManyChannels: 3 } as const;
/** Reasons of CHANNEL_CLOSED. */
export const channelClosedReason = { closedByPeer: 1, peerGone: 2, idle: 3 } as const;

/** Sizes in bytes: peer 32 (Ed25519 public key), selector 8, channel 8. `request` is a uint32 that the agent chose. */
export type RendezvousMessage =
  | { readonly type: "register"; readonly selectors: readonly Uint8Array[] }
  | {
      readonly type: "open";
      readonly request: number;
      readonly peer: Uint8Array;
      readonly selector: Uint8Array;
      readonly packet: Uint8Array;
    }
  | { readonly type: "close-channel"; readonly channel: Uint8Array }
  | { readonly type: "registered"; readonly address: SocketAddress }
  | { readonly type: "opened"; readonly request: number; readonly channel: Uint8Array }
  | { readonly type: "open-failed"; readonly request: number; readonly reason: number }
  | { readonly type: "incoming"; readonly channel: Uint8Array; readonly packet: Uint8Array }
  | { readonly type: "observed"; readonly address: SocketAddress }
  | { readonly type: "channel-closed"; readonly channel: Uint8Array; readonly reason: number }
  | { readonly type: "present"; readonly peer: Uint8Array; readonly selector: Uint8Array };

const typeByte = {
  register: 0x01,
  open: 0x02,
  "close-channel": 0x03,
  registered: 0x81,
  opened: 0x82,
  "open-failed": 0x83,
  incoming: 0x84,
  observed: 0x85,
  "channel-closed": 0x86,
  present: 0x87,
} as const satisfies Record<RendezvousMessage["type"], number>;

const LENGTH_BYTES = 2;
const PEER_BYTES = 32;
const SELECTOR_BYTES = 8;
const CHANNEL_BYTES = 8;

function bodyBytes(message: RendezvousMessage): number {
  switch (message.type) {
    case "register":
      return varintBytes(message.selectors.length) + message.selectors.length * SELECTOR_BYTES;
    case "open":
      return 4 + PEER_BYTES + SELECTOR_BYTES + 2 + message.packet.length;
    case "close-channel":
      return CHANNEL_BYTES;
    case "registered":
    case "observed":
      return socketAddressBytes(message.address);
    case "opened":
      return 4 + CHANNEL_BYTES;
    case "open-failed":
      return 4 + 1;
    case "incoming":
      return CHANNEL_BYTES + 2 + message.packet.length;
    case "channel-closed":
      return CHANNEL_BYTES + 1;
    case "present":
      return PEER_BYTES + SELECTOR_BYTES;
    default:
      return unreachable(message);
  }
}

function writeFixed(writer: ByteWriter, bytes: Uint8Array, lengthBytes: number): void {
  assert(bytes.length === lengthBytes, `rendezvous message: a field of ${bytes.length} bytes, expected ${lengthBytes}`);
  writer.copy(bytes);
}

function writePacket(writer: ByteWriter, packet: Uint8Array): void {
  writer.uint16(packet.length);
  writer.copy(packet);
}

function writeBody(writer: ByteWriter, message: RendezvousMessage): void {
  switch (message.type) {
    case "register":
      assert(message.selectors.length <= REGISTER_SELECTORS_MAX, "REGISTER: too many selectors");
      writer.varint(message.selectors.length);
      for (const selector of message.selectors) writeFixed(writer, selector, SELECTOR_BYTES);
      break;
    case "open":
      writer.uint32(message.request);
      writeFixed(writer, message.peer, PEER_BYTES);
      writeFixed(writer, message.selector, SELECTOR_BYTES);
      writePacket(writer, message.packet);
      break;
    case "close-channel":
      writeFixed(writer, message.channel, CHANNEL_BYTES);
      break;
    case "registered":
    case "observed":
      writeSocketAddress(writer, message.address);
      break;
    case "opened":
      writer.uint32(message.request);
      writeFixed(writer, message.channel, CHANNEL_BYTES);
      break;
    case "open-failed":
      writer.uint32(message.request);
      writer.uint8(message.reason);
      break;
    case "incoming":
      writeFixed(writer, message.channel, CHANNEL_BYTES);
      writePacket(writer, message.packet);
      break;
    case "channel-closed":
      writeFixed(writer, message.channel, CHANNEL_BYTES);
      writer.uint8(message.reason);
      break;
    case "present":
      writeFixed(writer, message.peer, PEER_BYTES);
      writeFixed(writer, message.selector, SELECTOR_BYTES);
      break;
    default:
      unreachable(message);
  }
}

/** @returns the message with its length in front, ready for the stream. */
export function encodeRendezvousMessage(message: RendezvousMessage): Uint8Array {
  const lengthBytes = 1 + bodyBytes(message);
  assert(lengthBytes <= RENDEZVOUS_MESSAGE_BYTES_MAX, `rendezvous message of ${lengthBytes} bytes`);
  const bytes = new Uint8Array(LENGTH_BYTES + lengthBytes);
  const writer = new ByteWriter(bytes);
  writer.uint16(lengthBytes);
  writer.uint8(typeByte[message.type]);
  writeBody(writer, message);
  return bytes;
}

function readSelectors(reader: ByteReader): Uint8Array[] {
  const count = reader.varint();
  if (count > REGISTER_SELECTORS_MAX) throw new OutOfBounds(`${count} selectors, at most ${REGISTER_SELECTORS_MAX}`);
  const selectors: Uint8Array[] = [];
  for (let i = 0; i < count; i++) selectors.push(reader.copy(SELECTOR_BYTES));
  return selectors;
}

function readMessage(reader: ByteReader): RendezvousMessage {
  const type = reader.uint8();
  switch (type) {
    case typeByte.register:
      return { type: "register", selectors: readSelectors(reader) };
    case typeByte.open: {
      const request = reader.uint32();
      const peer = reader.copy(PEER_BYTES);
      const selector = reader.copy(SELECTOR_BYTES);
      return { type: "open", request, peer, selector, packet: reader.copy(reader.uint16()) };
    }
    case typeByte["close-channel"]:
      return { type: "close-channel", channel: reader.copy(CHANNEL_BYTES) };
    case typeByte.registered:
      return { type: "registered", address: readSocketAddress(reader) };
    case typeByte.opened:
      return { type: "opened", request: reader.uint32(), channel: reader.copy(CHANNEL_BYTES) };
    case typeByte["open-failed"]:
      return { type: "open-failed", request: reader.uint32(), reason: reader.uint8() };
    case typeByte.incoming:
      return { type: "incoming", channel: reader.copy(CHANNEL_BYTES), packet: reader.copy(reader.uint16()) };
    case typeByte.observed:
      return { type: "observed", address: readSocketAddress(reader) };
    case typeByte["channel-closed"]:
      return { type: "channel-closed", channel: reader.copy(CHANNEL_BYTES), reason: reader.uint8() };
    case typeByte.present:
      return { type: "present", peer: reader.copy(PEER_BYTES), selector: reader.copy(SELECTOR_BYTES) };
    default:
      throw new OutOfBounds(`unknown type 0x${type.toString(16)}`);
  }
}

/**
 * Puts messages together from the stream's bytes. After every push, call next until it returns undefined: what is then
 * kept is less than one message.
 */
export class RendezvousMessageReader {
  private buffer = new Uint8Array(0);
  private start = 0;
  private end = 0;

  /** Takes the next bytes of the stream, in any pieces; they are copied. */
  push(bytes: Uint8Array): void {
    const unread = this.end - this.start;
    assert(unread < LENGTH_BYTES + RENDEZVOUS_MESSAGE_BYTES_MAX, "rendezvous messages are read after every push");
    if (this.end + bytes.length > this.buffer.length) {
      const needed = unread + bytes.length;
      // Doubling keeps the copying linear where the bytes come one by one.
      const target = needed > this.buffer.length ? new Uint8Array(Math.max(256, 2 * needed)) : this.buffer;
      target.set(this.buffer.subarray(this.start, this.end), 0);
      this.buffer = target;
      this.start = 0;
      this.end = unread;
    }
    this.buffer.set(bytes, this.end);
    this.end += bytes.length;
  }

  /**
   * @returns the next whole message, whose fields are copies, or undefined until more bytes come.
   * @throws ProtocolError with `violation` where a message cannot be read; the stream is of no use after it.
   */
  next(): RendezvousMessage | undefined {
    const unread = this.end - this.start;
    if (unread === 0) {
      // Between messages nothing is kept: a rendezvous has a reader for each of its agents.
      this.buffer = new Uint8Array(0);
      this.start = 0;
      this.end = 0;
    }
    if (unread < LENGTH_BYTES) return undefined;
    const lengthBytes = new ByteReader(this.buffer, this.start, this.end).uint16();
    if (unread < LENGTH_BYTES + lengthBytes) return undefined;
    const from = this.start + LENGTH_BYTES;
    const reader = new ByteReader(this.buffer, from, from + lengthBytes);
    this.start = from + lengthBytes;
    try {
      const message = readMessage(reader);
      if (reader.remainingBytes > 0) throw new OutOfBounds(`${reader.remainingBytes} bytes behind a ${message.type}`);
      return message;
    } catch (error) {
      if (!(error instanceof OutOfBounds)) throw error;
      throw new ProtocolError(closeCode.violation, `rendezvous message: ${error.message}`);
    }
  }
}
