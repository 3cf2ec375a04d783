// The handle of libuv behind a dgram socket, which alone can be told to stop reading. dgram does not show it: where it is not found
// as every version of Node from 20 to 24 has it, dgram goes on reading.

import type { Socket } from "node:dgram";

export interface DgramHandle {
  /** dgram gets no more messages; it sends as before. */
  recvStop(): void;
  recvStart(): void;
}

const STATE = "state symbol";

/** @returns the handle of a bound socket, or undefined where this Node keeps it elsewhere. */
export function dgramHandle(socket: Socket): DgramHandle | undefined {
  const symbol = Object.getOwnPropertySymbols(socket).find(({ description }) => description === STATE);
  if (symbol === undefined) return undefined;
  const state = (socket as unknown as Record<symbol, { readonly handle?: Partial<DgramHandle> | null } | undefined>)[
    symbol
  ];
  const handle = state?.handle;
  if (typeof handle?.recvStop !== "function" || typeof handle.recvStart !== "function") return undefined;
  return handle as DgramHandle;
}
