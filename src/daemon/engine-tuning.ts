// How soon V8 compiles what runs often, and how much at a time. It counts the bytecode that a function has run and optimises the function after some
// hundreds of kilobytes, which suits programs that do much in a short time. A tunnel that carries keystrokes runs each function
// a few times for a packet: thousands of round trips went by in code that was not optimised, at twice the processor time.
// Measured with Node 20 after 1,500 round trips of one byte, both agents together: 202 -> 150 µs of processor time for each on a
// machine with some other load, 387 -> 188 µs on one with much of it.
//
// Along with a function goes what it calls, and the paths of a packet are deep: two fifths of an agent's first seconds went into the compiler,
// which compiled the same again and again as a part of something else.

import { setFlagsFromString } from "node:v8";
import { INLINED_BYTECODE_BYTES, INLINED_BYTECODE_BYTES_ALL, INTERRUPT_BUDGET_BYTES } from "../base/limits.ts";

/** To be called once a process is about to carry packets: what runs at its start alone is not worth 50 ms of the compiler's time. */
export function tuneEngine(): void {
  // V8 12, of Node 22, has another compiler between the two, and does not know the first flag.
  if (!process.versions.v8.startsWith("11.")) return;
  setFlagsFromString(`--interrupt-budget=${INTERRUPT_BUDGET_BYTES}`);
  setFlagsFromString(`--max-inlined-bytecode-size=${INLINED_BYTECODE_BYTES}`);
  setFlagsFromString(`--max-inlined-bytecode-size-cumulative=${INLINED_BYTECODE_BYTES_ALL}`);
}
