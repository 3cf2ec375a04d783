// Assertions are for our own bugs: an invariant that the code itself has to keep.
// What the network or a user does is never asserted; it is handled (see protocol-error.ts).

/** Thrown when the program contradicts itself; nothing catches it on purpose. */
export class AssertionError extends Error {
  override readonly name = "AssertionError";
}

/** @throws AssertionError when `condition` is false. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}

/** Marks a branch that the type system proves cannot be reached. */
export function unreachable(value: never): never {
  throw new AssertionError(`unreachable: ${JSON.stringify(value)}`);
}
