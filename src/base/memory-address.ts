// The address of memory that is handed to functions of C, as a number. Those of user space have 48 bits on nearly every machine, and a
// number holds 53. Where the allocator tags its pointers in the uppermost byte (ARM's memory tagging), or a process has 57 bits, the
// number would be another address, a little beside: whoever meets such a one does without these functions.

import { assert } from "./assert.ts";

/** @throws where a number cannot hold it. */
export function memoryAddress(address: bigint): number {
  const number = Number(address);
  assert(Number.isSafeInteger(number), "an address of more than 53 bits");
  return number;
}
