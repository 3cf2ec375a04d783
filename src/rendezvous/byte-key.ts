// Bytes as the key of a Map: one character a byte, the most compact text that V8 keeps.

/** @returns a string that is equal for equal bytes; not meant to be read. */
export function byteKey(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}

/** The inverse of byteKey. */
export function keyBytes(key: string): Uint8Array {
  return Uint8Array.from(key, (character) => character.charCodeAt(0));
}
