// CRC-32 as ITU V.42 and Ethernet have it (polynomial 0xedb88320, reflected): what STUN's FINGERPRINT is made of.

const table = new Uint32Array(256);
for (let byte = 0; byte < 256; byte++) {
  let remainder = byte;
  for (let bit = 0; bit < 8; bit++) remainder = (remainder >>> 1) ^ ((remainder & 1) === 0 ? 0 : 0xedb8_8320);
  table[byte] = remainder;
}

/** @returns the checksum of all of `bytes`, an integer in [0, 2^32). */
export function crc32(bytes: Uint8Array): number {
  let remainder = 0xffff_ffff;
  for (let i = 0; i < bytes.length; i++) {
    remainder = (remainder >>> 8) ^ (table[(remainder ^ (bytes[i] as number)) & 0xff] as number);
  }
  return (remainder ^ 0xffff_ffff) >>> 0;
}
