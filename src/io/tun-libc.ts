// The functions of the C library that a TUN device and whoever waits for it need, beside those in libc.ts: called through koffi, on the
// machines that libc.ts knows, and with the same care for memory.

import { createRequire } from "node:module";
import { type KoffiLibrary, loadLibc } from "./libc.ts";

export interface TunLibc {
  /** Bytes of a pointer, of size_t and of time_t: 4 or 8. */
  readonly wordBytes: 4 | 8;
  /** Why the last call returned −1; to be asked before anything else is called. */
  errno(): number;
  socket(domain: number, type: number, protocol: number): number;
  close(fd: number): number;
  /** @param argument what the request reads and writes, in place. */
  ioctl(fd: number, request: number, argument: Uint8Array): number;
  /** @returns the bytes read, or −1. */
  read(fd: number, buffer: Uint8Array, lengthBytes: number): number;
  /** @returns the bytes written, or −1. */
  write(fd: number, buffer: Uint8Array, lengthBytes: number): number;
  /** Moves this thread into a namespace, given by a descriptor of its file. @returns 0, or −1. */
  setns(fd: number, type: number): number;
  /** Changes how the calling thread is scheduled. @param parameter a sched_param: the priority. @returns 0, or −1. */
  schedSetscheduler(policy: number, parameter: Uint8Array): number;
  /** @param descriptors pollfd structures, answered in place. @param timeout a timespec. @returns how many are ready, or −1. */
  ppoll(descriptors: Uint8Array, count: number, timeout: Uint8Array): number;
}

/** The part of koffi that is used. */
interface Koffi {
  load(path: null): KoffiLibrary;
  errno(): number;
}

let loaded: TunLibc | undefined | null = null;

/** @returns undefined where there is no koffi or the machine is not known. */
export function loadTunLibc(): TunLibc | undefined {
  if (loaded === null) loaded = load();
  return loaded;
}

function load(): TunLibc | undefined {
  const libc = loadLibc();
  if (libc === undefined) return undefined;
  const koffi = createRequire(import.meta.url)("koffi") as Koffi;
  const library = koffi.load(null);
  const ppoll = library.func("ppoll", "int", ["void *", "size_t", "void *", "void *"]);
  const schedSetscheduler = library.func("sched_setscheduler", "int", ["int", "int", "void *"]);
  return {
    wordBytes: libc.wordBytes,
    errno: () => koffi.errno(),
    socket: libc.socket,
    close: libc.close,
    // Variadic in C; on all these machines an integer and a pointer are passed alike either way.
    ioctl: library.func("ioctl", "int", ["int", "size_t", "void *"]),
    read: library.func("read", "intptr_t", ["int", "void *", "size_t"]),
    write: library.func("write", "intptr_t", ["int", "void *", "size_t"]),
    setns: library.func("setns", "int", ["int", "int"]),
    schedSetscheduler: (policy, parameter) => schedSetscheduler(0, policy, parameter),
    ppoll: (descriptors, count, timeout) => ppoll(descriptors, count, timeout, null),
  };
}
