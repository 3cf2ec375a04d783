// Reads a connected socket into memory that all sockets of the process share: each read is handed on before the next one begins.
// Node allocates 64 KiB for every read of a socket instead, and V8 marks the whole heap again for every few dozen megabytes of those:
// an agent that sent 1 Gbit/s spent a fifth of its time on that.
//
// Node offers this as the option `onread`, to sockets that a program makes itself, but not to those that a server has accepted. So
// the option is put here where the constructor of a socket would put it, which is Node's own affair; a Node that keeps it somewhere
// else, and anything that only looks like a socket, is read in the ordinary way.
//
// A socket is read once in a turn of the event loop. libuv would go on, up to 32 times, as long as a read fills the memory: from a
// local program that writes as fast as it can came a megabyte at a time, and for 2 ms nothing else was looked at, such as
// the keystroke on another connection.

import { Socket } from "node:net";
import { WRITE_CHUNK_BYTES } from "../base/limits.ts";

/** Never let go: the socket's handle knows it by its address. */
let shared: Uint8Array | undefined;

/** A socket as Node's net.js has it. */
interface Internals {
  readonly _handle?: { useUserBuffer?(buffer: Uint8Array): void } | null;
  [slot: symbol]: unknown;
}

interface Slots {
  readonly buffer: symbol;
  readonly callback: symbol;
  /** What gives the memory for the next read; null where it stays the same. */
  readonly next: symbol;
}

let slots: Slots | undefined | null = null;

/** Where the option `onread` is kept. @returns undefined where Node keeps it otherwise than we know. */
function findSlots(): Slots | undefined {
  const own = Object.getOwnPropertySymbols(new Socket());
  const find = (name: string): symbol | undefined => own.find((symbol) => symbol.description === name);
  const [buffer, callback, next] = [find("kBuffer"), find("kBufferCb"), find("kBufferGen")];
  if (buffer === undefined || callback === undefined || next === undefined) return undefined;
  return { buffer, callback, next };
}

/** The first so many bytes of the shared memory, by how many: few different lengths are asked for. */
const views = new Map<number, Uint8Array>();

function sharedView(lengthBytes: number): Uint8Array {
  const known = views.get(lengthBytes);
  if (known !== undefined) return known;
  shared ??= new Uint8Array(WRITE_CHUNK_BYTES);
  const view = shared.subarray(0, lengthBytes);
  views.set(lengthBytes, view);
  return view;
}

/** Sockets that have more to read. */
let unread: Socket[] = [];

function goOnNextTurn(socket: Socket): void {
  unread.push(socket);
  if (unread.length === 1) setImmediate(goOn);
}

function goOn(): void {
  const sockets = unread;
  unread = [];
  for (const socket of sockets) if (!socket.destroyed && !socket.isPaused()) socket.resume();
}

/**
 * Hands on what the socket receives; nothing has been read from it yet.
 * @param onBytes takes bytes that are its own until it returns.
 * @param chunkBytes how many it should be given at a time at most, up to WRITE_CHUNK_BYTES; asked after each of its calls. Each
 * different answer takes a view that is kept.
 * @returns whether they are read into shared memory.
 */
export function readSocket(
  socket: Socket,
  onBytes: (bytes: Uint8Array) => void,
  chunkBytes: () => number = () => WRITE_CHUNK_BYTES,
): boolean {
  if (slots === null) slots = findSlots();
  const known = slots;
  const internals = socket as unknown as Internals;
  const handle = internals._handle;
  if (known === undefined || typeof handle?.useUserBuffer !== "function" || internals[known.buffer] !== null) {
    socket.on("data", onBytes);
    return false;
  }
  const first = sharedView(chunkBytes());
  internals[known.buffer] = first;
  internals[known.next] = (): Uint8Array | undefined => {
    const bytes = chunkBytes();
    // Most reads want as much as the one before.
    return bytes === (internals[known.buffer] as Uint8Array).length ? undefined : sharedView(bytes);
  };
  internals[known.callback] = (lengthBytes: number, buffer: Uint8Array): boolean => {
    onBytes(buffer.subarray(0, lengthBytes));
    if (lengthBytes < buffer.length) return true;
    goOnNextTurn(socket);
    return false;
  };
  handle.useUserBuffer(first);
  return true;
}
