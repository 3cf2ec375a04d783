// A ticket is all that `tunnel connect` needs in one word: the peer, its secret, where to meet, where it is, and which service
// (SPEC.md, "Tickets and secrets"). It is pasted through chats and typed off screens, so a checksum finds a cut or
// mistyped one before anything is sent, and the parser says which it was.

import { assert } from "../base/assert.ts";
import { decodeBase32, encodeBase32 } from "../base/base32.ts";
import { ByteReader, OutOfBounds } from "../base/byte-reader.ts";
import { ByteWriter } from "../base/byte-writer.ts";
import { KEY_BYTES, NAME_BYTES_MAX, PEER_ADDRESSES_MAX, SECRET_BYTES, TICKET_CHARACTERS_MAX } from "../base/limits.ts";
import { blake2s } from "./blake2s.ts";
import { dhPublicKeyOf } from "./identity.ts";
import {
  formatHostAndPort,
  formatRendezvousPlace,
  type HostAndPort,
  parseHostAndPort,
  parseRendezvousPlace,
  type RendezvousAddress,
} from "./rendezvous-address.ts";
import { equalBytes } from "./secret.ts";

export interface Ticket {
  /** Ed25519 public key of the peer that exposes the service. */
  readonly peer: Uint8Array;
  /** 16 bytes; never logged. */
  readonly secret: Uint8Array;
  /** Where the peer is registered, best first; at most 255. */
  readonly rendezvous: readonly RendezvousAddress[];
  /** Where the peer itself can be reached, without an introduction; at most PEER_ADDRESSES_MAX. */
  readonly addresses: readonly HostAndPort[];
  /** At most 255 bytes of UTF-8; "" is the default service. */
  readonly service: string;
}

/** Why a text is no ticket that can be used. */
export type TicketFault = "not-a-ticket" | "cut" | "mistyped" | "newer-version";

export type TicketResult =
  | { readonly ok: true; readonly ticket: Ticket }
  | { readonly ok: false; readonly fault: TicketFault; readonly message: string };

const PREFIX = "tunnel";
const VERSION = 1;
const CHECKSUM_BYTES = 4;
const HAS_KEY = 1;
/** A ticket without rendezvous and addresses, for the default service. */
const TICKET_CHARACTERS_MIN =
  PREFIX.length + Math.ceil(((1 + KEY_BYTES + SECRET_BYTES + 1 + 1 + 1 + CHECKSUM_BYTES) * 8) / 5);

const MESSAGES: Readonly<Record<TicketFault, string>> = {
  "not-a-ticket": `This is not a ticket: one begins with "${PREFIX}", then letters and the digits 2 to 7. Copy the line that "tunnel expose" printed.`,
  cut: "The ticket is cut: characters are missing. Copy the whole of it again.",
  mistyped: "The ticket is mistyped: its checksum does not fit. Copy the whole of it again.",
  "newer-version": "The ticket was made by a newer version of tunnel. Update this one.",
};

const fault = (which: TicketFault): TicketResult => ({ ok: false, fault: which, message: MESSAGES[which] });

const checksumOf = (content: Uint8Array): Uint8Array => blake2s(content).slice(0, CHECKSUM_BYTES);

function writeText(writer: ByteWriter, text: string): void {
  const bytes = new TextEncoder().encode(text);
  assert(bytes.length <= NAME_BYTES_MAX, `at most ${NAME_BYTES_MAX} bytes fit, got ${bytes.length}`);
  writer.uint8(bytes.length);
  writer.copy(bytes);
}

const readText = (reader: ByteReader): string =>
  new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(reader.view(reader.uint8()));

/** @returns one word of lower-case letters and digits. */
export function formatTicket(ticket: Ticket): string {
  assert(
    ticket.peer.length === KEY_BYTES && ticket.secret.length === SECRET_BYTES,
    "a ticket's keys have their length",
  );
  assert(ticket.rendezvous.length <= 255, "a ticket holds at most 255 rendezvous");
  assert(ticket.addresses.length <= PEER_ADDRESSES_MAX, `a ticket holds at most ${PEER_ADDRESSES_MAX} addresses`);
  const addressBytesMax = 1 + NAME_BYTES_MAX;
  const rendezvousBytesMax = 1 + KEY_BYTES + addressBytesMax;
  const fixedBytesMax = 1 + KEY_BYTES + SECRET_BYTES + 1 + 1 + 1 + NAME_BYTES_MAX + CHECKSUM_BYTES;
  const listBytesMax = ticket.rendezvous.length * rendezvousBytesMax + ticket.addresses.length * addressBytesMax;
  const writer = new ByteWriter(new Uint8Array(fixedBytesMax + listBytesMax));
  writer.uint8(VERSION);
  writer.copy(ticket.peer);
  writer.copy(ticket.secret);
  writer.uint8(ticket.rendezvous.length);
  for (const address of ticket.rendezvous) {
    writer.uint8(address.publicKey === undefined ? 0 : HAS_KEY);
    if (address.publicKey !== undefined) writer.copy(address.publicKey);
    writeText(writer, formatRendezvousPlace(address));
  }
  writer.uint8(ticket.addresses.length);
  for (const address of ticket.addresses) writeText(writer, formatHostAndPort(address));
  writeText(writer, ticket.service);
  writer.copy(checksumOf(writer.written()));
  const text = PREFIX + encodeBase32(writer.written());
  assert(text.length <= TICKET_CHARACTERS_MAX, "a ticket stays below the length that is read");
  return text;
}

function readRendezvous(reader: ByteReader): RendezvousAddress | undefined {
  const flags = reader.uint8();
  const publicKey = (flags & HAS_KEY) === 0 ? undefined : reader.copy(KEY_BYTES);
  const place = parseRendezvousPlace(readText(reader));
  if (place === undefined || (publicKey !== undefined && dhPublicKeyOf(publicKey) === undefined)) return undefined;
  return publicKey === undefined ? place : { publicKey, ...place };
}

/** @returns undefined for content that no maker of tickets writes. @throws OutOfBounds, TypeError (bad UTF-8) */
function readContent(reader: ByteReader): Ticket | undefined {
  const peer = reader.copy(KEY_BYTES);
  const secret = reader.copy(SECRET_BYTES);
  const rendezvous: RendezvousAddress[] = [];
  for (let left = reader.uint8(); left > 0; left--) {
    const address = readRendezvous(reader);
    if (address === undefined) return undefined;
    rendezvous.push(address);
  }
  const addresses: HostAndPort[] = [];
  for (let left = reader.uint8(); left > 0; left--) {
    const address = parseHostAndPort(readText(reader));
    if (address === undefined || addresses.length === PEER_ADDRESSES_MAX) return undefined;
    addresses.push(address);
  }
  const service = readText(reader);
  if (reader.remainingBytes !== 0 || dhPublicKeyOf(peer) === undefined) return undefined;
  return { peer, secret, rendezvous, addresses, service };
}

/** @returns the whole bytes in digits that encode none, because some are missing or the last is wrong; to be looked at, not believed. */
function wholeBytesOf(digits: string): Uint8Array {
  const padded = decodeBase32(digits.padEnd(Math.ceil(digits.length / 8) * 8, "a"));
  assert(padded !== undefined, "eight digits are five bytes");
  return padded.subarray(0, Math.floor((digits.length * 5) / 8));
}

/** Whether bytes with a wrong checksum end before their own length fields say. */
function isCut(bytes: Uint8Array): boolean {
  const reader = new ByteReader(bytes, 1);
  try {
    reader.skip(KEY_BYTES + SECRET_BYTES);
    for (let left = reader.uint8(); left > 0; left--) {
      if ((reader.uint8() & HAS_KEY) !== 0) reader.skip(KEY_BYTES);
      reader.skip(reader.uint8());
    }
    for (let left = reader.uint8(); left > 0; left--) reader.skip(reader.uint8());
    reader.skip(reader.uint8());
    reader.skip(CHECKSUM_BYTES);
    return false;
  } catch (error) {
    if (error instanceof OutOfBounds) return true;
    throw error;
  }
}

/** @param text what a user pasted: white space in it, as a broken line leaves, and upper case do not matter. */
export function parseTicket(text: string): TicketResult {
  if (text.length > TICKET_CHARACTERS_MAX) return fault("not-a-ticket");
  const word = text.replaceAll(/[\s\u200b\ufeff]/g, "");
  if (!/^tunnel[a-z2-7]*$/i.test(word)) {
    // As long as a ticket and beginning like one: a foreign character slipped in. Anything else is another thing.
    const slip = word.length >= TICKET_CHARACTERS_MIN && word.toLowerCase().startsWith(PREFIX);
    return fault(slip ? "mistyped" : "not-a-ticket");
  }
  const digits = word.slice(PREFIX.length);
  const bytes = decodeBase32(digits);
  if (bytes === undefined) return fault(isCut(wholeBytesOf(digits)) ? "cut" : "mistyped");
  const content = bytes.subarray(0, Math.max(0, bytes.length - CHECKSUM_BYTES));
  if (content.length === 0) return fault("cut");
  // Every version ends in this checksum, so that a newer one is told from a mistyped one.
  if (!equalBytes(checksumOf(content), bytes.subarray(content.length))) return fault(isCut(bytes) ? "cut" : "mistyped");
  if ((content[0] as number) > VERSION) return fault("newer-version");
  if (content[0] !== VERSION) return fault("not-a-ticket");
  try {
    const ticket = readContent(new ByteReader(content, 1));
    return ticket === undefined ? fault("not-a-ticket") : { ok: true, ticket };
  } catch (error) {
    if (error instanceof OutOfBounds || error instanceof TypeError) return fault("not-a-ticket");
    throw error;
  }
}
