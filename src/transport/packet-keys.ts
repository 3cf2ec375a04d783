// The keys of a connection's data packets, and their replacement in-band (after RFC 9001 §6). Each direction moves on
// by itself: the sender flips the phase bit and seals with the next key; the receiver notices when the next key opens a packet.
// A direction moves on only after a packet of its present epoch was acknowledged, so the two never drift by more than one.

import { KEY_UPDATE_FIRST_PACKETS, KEY_UPDATE_PACKETS } from "../base/limits.ts";
import { nextKey, type PacketCipher, type PacketCipherFactory } from "../crypto/packet-cipher.ts";

export class PacketKeys {
  private readonly factory: PacketCipherFactory;

  private sendKey: Uint8Array;
  private sendCipher: PacketCipher;
  /** Counts key updates; its lowest bit is the phase on the wire. */
  sendEpoch = 0;
  private sealedInEpoch = 0;
  private epochConfirmed = false;

  private receiveEpoch = 0;
  private receiveCipher: PacketCipher;
  private nextReceiveKey: Uint8Array;
  private nextReceiveCipher: PacketCipher | undefined;
  private previousCipher: PacketCipher | undefined;
  private previousUntilMs = Number.NEGATIVE_INFINITY;

  constructor(factory: PacketCipherFactory, sendKey: Uint8Array, receiveKey: Uint8Array) {
    this.factory = factory;
    this.sendKey = sendKey;
    this.sendCipher = factory.create(sendKey);
    this.receiveCipher = factory.create(receiveKey);
    this.nextReceiveKey = nextKey(receiveKey);
  }

  /** The phase bit of packets sealed now. */
  get sendPhase(): number {
    return this.sendEpoch & 1;
  }

  /** Moves on to the next sending key where that is due and allowed; before a packet is built, never within. */
  maybeUpdate(): void {
    const limit = this.sendEpoch === 0 ? KEY_UPDATE_FIRST_PACKETS : KEY_UPDATE_PACKETS;
    if (this.sealedInEpoch < limit || !this.epochConfirmed) return;
    this.sendKey = nextKey(this.sendKey);
    this.sendCipher = this.factory.create(this.sendKey);
    this.sendEpoch++;
    this.sealedInEpoch = 0;
    this.epochConfirmed = false;
  }

  /** A packet sealed in this epoch was acknowledged. */
  onAcked(epoch: number): void {
    if (epoch === this.sendEpoch) this.epochConfirmed = true;
  }

  seal(buffer: Uint8Array, headerStart: number, payloadEnd: number, path: number, packetNumber: number): void {
    this.sealedInEpoch++;
    this.sendCipher.seal(buffer, headerStart, payloadEnd, path, packetNumber);
  }

  /**
   * Opens a packet in place.
   * @param holdMs how long late packets of the previous key are still opened after an update.
   * @returns whether it is authentic; otherwise nothing has changed.
   */
  open(
    nowMs: number,
    holdMs: number,
    phase: number,
    buffer: Uint8Array,
    start: number,
    end: number,
    path: number,
    packetNumber: number,
  ): boolean {
    if (phase === (this.receiveEpoch & 1)) return this.receiveCipher.open(buffer, start, end, path, packetNumber);
    if (this.previousCipher !== undefined && nowMs < this.previousUntilMs) {
      if (this.previousCipher.open(buffer, start, end, path, packetNumber)) return true;
    }
    this.nextReceiveCipher ??= this.factory.create(this.nextReceiveKey);
    if (!this.nextReceiveCipher.open(buffer, start, end, path, packetNumber)) return false;
    this.previousCipher = this.receiveCipher;
    this.previousUntilMs = nowMs + holdMs;
    this.receiveCipher = this.nextReceiveCipher;
    this.nextReceiveCipher = undefined;
    this.nextReceiveKey = nextKey(this.nextReceiveKey);
    this.receiveEpoch++;
    return true;
  }
}
