// The two ways in which a command ends without having done its work, other than by a bug of ours: the person asked for
// something that cannot be meant, or the machine did not let us. Both are one clear line and an exit code, never a stack.

export const exitCode = { done: 0, failed: 1, usage: 2 } as const;

/** @returns "a, b or c": what was expected instead. */
export function oneOf(words: readonly string[]): string {
  return `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;
}

/** Wrong input: what was given, what was expected, what to do. Ends in exit code 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
  /** A short word for scripts: the `code` of the error event. */
  readonly code: string;

  constructor(message: string, code = "usage") {
    super(message);
    this.code = code;
  }
}

/** The input was fine and it could not be done: what happened and what to do. Ends in exit code 1. */
export class OperatingError extends Error {
  override readonly name = "OperatingError";
  /** A short word for scripts: the `code` of the error event. */
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** The command has said all there is to say, and it is not good. Ends in exit code 1 without another word. */
export class ToldFailure extends Error {
  override readonly name = "ToldFailure";
}

/** @returns the system's code ("EACCES") of an error, or undefined where it is another kind of error. */
export function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const code = (error as NodeJS.ErrnoException).code;
  return typeof code === "string" ? code : undefined;
}
