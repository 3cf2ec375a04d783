// The keys of a connection's data packets, and their replacement in-band (after RFC 9001 §6). Each direction moves on
// by itself: the sender flips the phase bit and seals with the next key; the receiver notices when the next key opens a packet.
// A direction moves on only after a packet of its present epoch was acknowledged, and not before those of the epoch before
// can have been under way for long: there are two phases on the wire and never packets of three epochs.

import { KEY_UPDATE_FIRST_PACKETS, KEY_UPDATE_PACKETS } from "../base/limits.ts";
import { nextKey, type PacketCipher, type PacketCipherFactory } from "../crypto/packet-cipher.ts";

/** When the sending key is replaced, in packets sealed with it. */
export interface KeyUpdateSettings {
  readonly firstPackets: number;
  readonly packets: number;
}

const DEFAULTS: KeyUpdateSettings = { firstPackets: KEY_UPDATE_FIRST_PACKETS, packets: KEY_UPDATE_PACKETS };

export class PacketKeys {
  private readonly factory: PacketCipherFactory;
  private readonly settings: KeyUpdateSettings;

  private sendKey: Uint8Array;
  private sendCipher: PacketCipher;
  /** Counts key updates; its lowest bit is the phase on the wire. */
  sendEpoch = 0;
  private sealedInEpoch = 0;
  /** When a packet of the present epoch was first acknowledged. */
  private confirmedAtMs = Number.POSITIVE_INFINITY;

  private receiveEpoch = 0;
  private receiveCipher: PacketCipher;
  private nextReceiveKey: Uint8Array;
  private nextReceiveCipher: PacketCipher | undefined;
  private previousCipher: PacketCipher | undefined;
  private previousUntilMs = Number.NEGATIVE_INFINITY;

  constructor(factory: PacketCipherFactory, sendKey: Uint8Array, receiveKey: Uint8Array, settings = DEFAULTS) {
    this.factory = factory;
    this.settings = settings;
    this.sendKey = sendKey;
    this.sendCipher = factory.create(sendKey);
    this.receiveCipher = factory.create(receiveKey);
    this.nextReceiveKey = nextKey(receiveKey);
  }

  /** The phase bit of packets sealed now. */
  get sendPhase(): number {
    return this.sendEpoch & 1;
  }

  /**
   * Moves on to the next sending key where that is due and allowed; before a packet is built, never within.
   * @param holdMs how long packets may be under way: as long the receiver keeps the key before (RFC 9001 §6.5).
   */
  maybeUpdate(nowMs: number, holdMs: () => number): void {
    const limit = this.sendEpoch === 0 ? this.settings.firstPackets : this.settings.packets;
    if (this.sealedInEpoch < limit || nowMs < this.confirmedAtMs || nowMs < this.confirmedAtMs + holdMs()) return;
    this.sendKey = nextKey(this.sendKey);
    this.sendCipher = this.factory.create(this.sendKey);
    this.sendEpoch++;
    this.sealedInEpoch = 0;
    this.confirmedAtMs = Number.POSITIVE_INFINITY;
  }

  /** A packet sealed in this epoch was acknowledged. */
  onAcked(epoch: number, nowMs: number): void {
    if (epoch === this.sendEpoch && nowMs < this.confirmedAtMs) this.confirmedAtMs = nowMs;
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
    holdMs: () => number,
    phase: number,
    buffer: Uint8Array,
    start: number,
    end: number,
    path: number,
    packetNumber: number,
  ): boolean {
    if (phase === (this.receiveEpoch & 1)) return this.receiveCipher.open(buffer, start, end, path, packetNumber);
    if (this.opensWithPrevious(nowMs, buffer, start, end, path, packetNumber)) return true;
    this.nextReceiveCipher ??= this.factory.create(this.nextReceiveKey);
    if (!this.nextReceiveCipher.open(buffer, start, end, path, packetNumber)) return false;
    this.previousCipher = this.receiveCipher;
    this.previousUntilMs = nowMs + holdMs();
    this.receiveCipher = this.nextReceiveCipher;
    this.nextReceiveCipher = undefined;
    this.nextReceiveKey = nextKey(this.nextReceiveKey);
    this.receiveEpoch++;
    return true;
  }

  private opensWithPrevious(
    nowMs: number,
    buffer: Uint8Array,
    start: number,
    end: number,
    path: number,
    packetNumber: number,
  ): boolean {
    if (this.previousCipher === undefined) return false;
    if (nowMs >= this.previousUntilMs) {
      this.previousCipher = undefined;
      return false;
    }
    // A key that does not fit spoils the packet, and the next key may yet be the one that fits.
    const untouched = new Uint8Array(buffer.subarray(start, end));
    if (this.previousCipher.open(buffer, start, end, path, packetNumber)) return true;
    buffer.set(untouched, start);
    return false;
  }
}
