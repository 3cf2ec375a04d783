// A peer whose every packet is written by the test: it lets a real endpoint do the handshake, takes its keys over, and from then
// on seals whatever frames it is told to, on any path, under any packet number, from any address. It plays hostile peers and
// those that a test needs to be exact.

import assert from "node:assert/strict";
import type { SocketAddress } from "../../src/base/address.ts";
import { ByteWriter } from "../../src/base/byte-writer.ts";
import { DATA_HEADER_BYTES, TAG_BYTES } from "../../src/base/limits.ts";
import { bestPacketCipher, type PacketCipher } from "../../src/crypto/packet-cipher.ts";
import type { Connection } from "../../src/transport/connection.ts";
import type { TransportSettings } from "../../src/transport/transport-settings.ts";
import { packetKind, readPacketNumber, readPath, writeDataHeader } from "../../src/wire/datagram.ts";
import { SeededRandom } from "../sim/seeded-random.ts";
import { decodeFrames, type Frame, writeFrame } from "../wire/frame-recorder.ts";
import { addressOf, give, take } from "./datagram-tap.ts";
import { EndpointMachine } from "./endpoint-machine.ts";

export interface HeardPacket {
  readonly to: SocketAddress;
  readonly path: number;
  readonly number: number;
  readonly bytes: number;
  readonly frames: Frame[];
}

export class PuppetPeer {
  nowMs = 1_000;
  readonly address = addressOf("198.51.100.1");
  /** The endpoint under test, and its connection with the puppet. */
  readonly victim: EndpointMachine;
  readonly connection: Connection;
  private readonly victimAddress = addressOf("198.51.100.2");
  private readonly sealer: PacketCipher;
  private readonly opener: PacketCipher;
  private readonly session: number;
  private readonly next = new Map<number, number>();

  constructor(settings: Partial<TransportSettings> = {}) {
    const random = new SeededRandom(5);
    const machine = new EndpointMachine(random.fork("puppet"));
    this.victim = new EndpointMachine(random.fork("victim"), settings);
    this.victim.expectsPattern = false;
    const own = machine.connect(this.nowMs, this.victim.identity, this.victimAddress);
    for (let i = 0; i < 3; i++) {
      give(this.victim, this.nowMs, this.address, take(machine, this.nowMs));
      give(machine, this.nowMs, this.victimAddress, take(this.victim, this.nowMs));
    }
    take(this.victim, this.nowMs);
    this.connection = this.victim.accepted[0] ?? assert.fail("no handshake");
    const [sendKey, receiveKey] = machine.cipher.keys;
    assert.ok(sendKey && receiveKey);
    this.sealer = bestPacketCipher().create(sendKey);
    this.opener = bestPacketCipher().create(receiveKey);
    this.session = own.remoteSession;
  }

  /** @returns a packet with these frames. @param number the next one of its path, above those of the real endpoint, unless told. */
  packet(frames: readonly Frame[], path = 1, number = this.next.get(path) ?? 100): Uint8Array {
    this.next.set(path, Math.max(number, (this.next.get(path) ?? 0) - 1) + 1);
    const bytes = new Uint8Array(65_000);
    const writer = new ByteWriter(bytes, DATA_HEADER_BYTES);
    for (const frame of frames) writeFrame(writer, frame);
    return this.seal(bytes, writer.offset, path, number);
  }

  /** @returns a packet with these bytes in place of frames. */
  rawPacket(content: Uint8Array, path = 1, number = this.next.get(path) ?? 100): Uint8Array {
    this.next.set(path, number + 1);
    const bytes = new Uint8Array(DATA_HEADER_BYTES + content.length + TAG_BYTES);
    bytes.set(content, DATA_HEADER_BYTES);
    return this.seal(bytes, DATA_HEADER_BYTES + content.length, path, number);
  }

  private seal(bytes: Uint8Array, end: number, path: number, number: number): Uint8Array {
    writeDataHeader(bytes, 0, 0, end + TAG_BYTES, this.session, path, number);
    this.sealer.seal(bytes, 0, end, path, number);
    return bytes.slice(0, end + TAG_BYTES);
  }

  /** Hands the victim a packet. @returns what it sends thereupon. */
  deliver(packet: Uint8Array, from: SocketAddress = this.address): HeardPacket[] {
    this.victim.handleDatagram(this.nowMs, from, packet.slice());
    return this.hear();
  }

  /** Sends frames in a packet of their own. @returns what the victim sends thereupon. */
  send(frames: readonly Frame[], path = 1, from: SocketAddress = this.address): HeardPacket[] {
    return this.deliver(this.packet(frames, path), from);
  }

  /** @returns what the victim sends now. */
  hear(): HeardPacket[] {
    return take(this.victim, this.nowMs).flatMap(({ route, bytes }) => {
      if (bytes[0] !== packetKind.data) return [];
      const heard = {
        to: route.remote,
        path: readPath(bytes, 0),
        number: readPacketNumber(bytes, 0),
        bytes: bytes.length,
      };
      assert.ok(this.opener.open(bytes, 0, bytes.length, heard.path, heard.number), "the victim seals with its key");
      const { frames } = decodeFrames(bytes.subarray(DATA_HEADER_BYTES, bytes.length - TAG_BYTES));
      return [{ ...heard, frames }];
    });
  }

  /** Lets time pass; what the victim sends meanwhile reaches nobody. @returns it. */
  pass(durationMs: number): HeardPacket[] {
    const endMs = this.nowMs + durationMs;
    const heard = this.hear();
    for (let next = this.victim.pollTimeout(); next <= endMs; next = this.victim.pollTimeout()) {
      this.nowMs = Math.max(this.nowMs, next);
      this.victim.handleTimeout(this.nowMs);
      heard.push(...this.hear());
    }
    this.nowMs = endMs;
    return heard;
  }

  /** Acknowledges packets of the victim's, as a peer that keeps the rules does. */
  acknowledge(heard: readonly HeardPacket[]): HeardPacket[] {
    const byPath = new Map<number, number[]>();
    for (const { path, number } of heard) if (path > 0) byPath.set(path, [...(byPath.get(path) ?? []), number]);
    const answers: HeardPacket[] = [];
    for (const [path, numbers] of byPath) {
      const ranges = numbers.sort((a, b) => b - a).flatMap((number) => [number, number]);
      const joined: number[] = [];
      for (let i = 0; i < ranges.length; i += 2) {
        const n = ranges[i] as number;
        if (joined.length > 0 && joined.at(-1) === n + 1) joined[joined.length - 1] = n;
        else joined.push(n, n);
      }
      answers.push(...this.send([{ type: "ack", path, delayUs: 0, ranges: joined }]));
    }
    return answers;
  }

  /** The code with which the victim closed the connection, if it did. */
  get closeCode(): number | undefined {
    for (const { event } of this.victim.events) if (event.type === "closed") return event.code;
    return undefined;
  }
}

/** @returns the frames of one type that were heard. */
export function framesOf<T extends Frame["type"]>(heard: readonly HeardPacket[], type: T): (Frame & { type: T })[] {
  return heard.flatMap(({ frames }) => frames.filter((frame) => frame.type === type) as (Frame & { type: T })[]);
}
