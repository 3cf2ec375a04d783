// Why a forwarded stream is reset or no longer wanted: the codes of RESET_STREAM and STOP_SENDING (SPEC.md, the last table).

export const streamCode = {
  noLongerWanted: 0,
  connectionReset: 1,
  targetRefused: 2,
  targetUnreachable: 3,
  notAdmitted: 4,
  shuttingDown: 5,
  outOfResources: 6,
} as const;

/** @returns what the code means, as half a sentence; for logs and people. */
export function describeStreamCode(code: number): string {
  switch (code) {
    case streamCode.noLongerWanted:
      return "it is no longer wanted";
    case streamCode.connectionReset:
      return "the other end's TCP connection was reset";
    case streamCode.targetRefused:
      return "the exposed service refused the connection; is it running?";
    case streamCode.targetUnreachable:
      return "the exposing side cannot reach its service";
    case streamCode.notAdmitted:
      return "the exposing side does not admit it, or has no such service";
    case streamCode.shuttingDown:
      return "the other side is shutting down";
    case streamCode.outOfResources:
      return "the other side has no room for another connection";
    default:
      return `the other side gave the unknown reason ${code}`;
  }
}
