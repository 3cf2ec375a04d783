// The preamble of a forwarded stream: its first bytes name the service that is wanted and, for a service behind a
// secret, prove that the secret is known. The application's bytes follow at once.

import { assert } from "../base/assert.ts";
import { closeCode, ProtocolError } from "../base/protocol-error.ts";

/** What a stream asks for. */
export type Preamble =
  /** The service that this secret opens: its tag and the proof bound to this connection, 16 bytes each. */
  | { readonly kind: "secret"; readonly secretTag: Uint8Array; readonly proof: Uint8Array }
  /** A service that lists the peer or is public; "" is the default one. At most 255 bytes of UTF-8. */
  | { readonly kind: "service"; readonly name: string };

/** A whole preamble, and where the application's bytes begin. */
export interface DecodedPreamble {
  readonly preamble: Preamble;
  readonly consumedBytes: number;
}

/** The most bytes a preamble takes: what has to be kept while it is incomplete. */
export const PREAMBLE_BYTES_MAX = 3 + 255;

const VERSION = 1;
const KIND_SECRET = 1;
const KIND_SERVICE = 2;
const FIELD_BYTES = 16;
const SECRET_BYTES = 2 + 2 * FIELD_BYTES;

const nameDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export function encodePreamble(preamble: Preamble): Uint8Array {
  if (preamble.kind === "secret") {
    const { secretTag, proof } = preamble;
    assert(secretTag.length === FIELD_BYTES && proof.length === FIELD_BYTES, "secret tag and proof have 16 bytes each");
    const bytes = new Uint8Array(SECRET_BYTES);
    bytes.set([VERSION, KIND_SECRET]);
    bytes.set(secretTag, 2);
    bytes.set(proof, 2 + FIELD_BYTES);
    return bytes;
  }
  const name = new TextEncoder().encode(preamble.name);
  assert(name.length <= 255, "a service name has at most 255 bytes");
  const bytes = new Uint8Array(3 + name.length);
  bytes.set([VERSION, KIND_SERVICE, name.length]);
  bytes.set(name, 3);
  return bytes;
}

/**
 * @param bytes all that the stream has brought so far, from its first byte.
 * @returns the preamble, whose fields are copies, or "incomplete" until more has come.
 * @throws ProtocolError with `violation` as soon as the bytes cannot become a preamble; it is the stream that is refused.
 */
export function decodePreamble(bytes: Uint8Array): DecodedPreamble | "incomplete" {
  const [version, kind, nameBytes] = bytes;
  if (version !== undefined && version !== VERSION) throw refused(`version ${version}, expected ${VERSION}`);
  if (kind === undefined) return "incomplete";
  if (kind === KIND_SECRET) {
    if (bytes.length < SECRET_BYTES) return "incomplete";
    const secretTag = new Uint8Array(bytes.subarray(2, 2 + FIELD_BYTES));
    const proof = new Uint8Array(bytes.subarray(2 + FIELD_BYTES, SECRET_BYTES));
    return { preamble: { kind: "secret", secretTag, proof }, consumedBytes: SECRET_BYTES };
  }
  if (kind !== KIND_SERVICE) throw refused(`unknown kind ${kind}`);
  if (nameBytes === undefined || bytes.length < 3 + nameBytes) return "incomplete";
  const consumedBytes = 3 + nameBytes;
  try {
    return { preamble: { kind: "service", name: nameDecoder.decode(bytes.subarray(3, consumedBytes)) }, consumedBytes };
  } catch {
    // TextDecoder has one way to fail.
    throw refused("the service name is not UTF-8");
  }
}

function refused(message: string): ProtocolError {
  return new ProtocolError(closeCode.violation, `preamble of a stream: ${message}`);
}
