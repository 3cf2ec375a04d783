// The nonce of a data packet, which every implementation of the packet cipher makes of the same two numbers (SPEC.md, "Data packets").

export const NONCE_BYTES = 12;

/** Writes 00 00 00 00 ‖ path(2) ‖ packet number(6) at `at`; the four zeros are there already. */
export function writeNonce(nonce: Uint8Array, at: number, path: number, packetNumber: number): void {
  const high = Math.floor(packetNumber / 0x1_0000_0000);
  nonce[at + 4] = path >>> 8;
  nonce[at + 5] = path;
  nonce[at + 6] = high >>> 8;
  nonce[at + 7] = high;
  nonce[at + 8] = packetNumber >>> 24;
  nonce[at + 9] = packetNumber >>> 16;
  nonce[at + 10] = packetNumber >>> 8;
  nonce[at + 11] = packetNumber;
}
