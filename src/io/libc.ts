// The few functions of the C library that Node does not offer, called through koffi: sockets whose options and control messages
// we choose ourselves. koffi is an optional dependency with a native part; where it is missing, or the machine is none whose
// constants and layouts we know, there is no Libc and everything works without it, slower.
//
// Memory is handed over by address. It is ordinary memory of JavaScript: what an ArrayBuffer holds lies outside the collected
// heap and does not move while somebody holds the ArrayBuffer. Nothing has to be freed by hand.

import { createRequire } from "node:module";
import { endianness } from "node:os";
import { memoryAddress } from "../base/memory-address.ts";

/** A call with this flag does not wait. */
export const MSG_DONTWAIT = 0x40;
export const IPPROTO_IP = 0;
export const IPPROTO_IPV6 = 41;
/** Options, and the types of the control messages that tell of them. */
export const IP_TOS = 1;
export const IPV6_TCLASS = 67;

export interface Libc {
  /** Bytes of a pointer, of size_t and of every other word in the kernel's structures: 4 or 8. */
  readonly wordBytes: 4 | 8;
  /** Why the last call returned −1; to be asked before anything else is called. os.constants.errno has the names. */
  errno(): number;
  /** Where the first byte lies. The caller holds `bytes` for as long as the address is used. */
  addressOf(bytes: Uint8Array): number;
  socket(domain: number, type: number, protocol: number): number;
  bind(fd: number, address: Uint8Array): number;
  setOption(fd: number, level: number, name: number, value: number): number;
  /** @returns the value of an option that is an int, or undefined where the kernel does not know it. */
  getOption(fd: number, level: number, name: number): number | undefined;
  /** @returns the bytes of a connected socket that were taken, or −1. */
  send(fd: number, bytes: Uint8Array, flags: number): number;
  /** @param messageAddress the address of a msghdr. @returns the bytes sent, or −1. */
  sendmsg(fd: number, messageAddress: number, flags: number): number;
  /** @param messagesAddress the address of so many mmsghdr. @returns how many messages were received, or −1. */
  recvmmsg(fd: number, messagesAddress: number, messages: number, flags: number): number;
  /** @returns another descriptor of the same socket, which a child does not inherit, or −1. */
  duplicate(fd: number): number;
  close(fd: number): number;
  /** @returns the descriptor of a timer on the clock that never jumps, or −1. */
  timer(): number;
  /** @param specAddress the address of a struct itimerspec in words of 64 bits. @returns 0, or −1: a kernel before 5.1 has none on 32 bits. */
  setTimer(fd: number, specAddress: number): number;
  /**
   * Calls `onReadable` in each turn of the event loop in which something waits on the descriptor, and with false when it cannot be
   * watched any more. It must not throw. What it puts off to the next tick, and promises, go on when Node ends the turn, if no callback
   * of Node's own does so before. The descriptor stays open until the watch is closed; two watches of one descriptor cannot be.
   * @returns undefined where that cannot be had.
   */
  watch(fd: number, onReadable: (readable: boolean) => void): DescriptorWatch | undefined;
}

/** Holds the event loop up while it is not stopped, as a socket of Node's does. It must be held on to. */
export interface DescriptorWatch {
  /** Tells of nothing until it is started again. */
  stop(): void;
  /** @returns false where that fails: it tells of nothing any more. */
  start(): boolean;
  close(): void;
}

interface KoffiPollHandle {
  start(callback: (status: number) => void): void;
  stop(): void;
  close(): void;
}

/** The C library as koffi shows it. */
export interface KoffiLibrary {
  func(name: string, result: string, parameters: readonly string[]): (...values: unknown[]) => number;
}

/** The part of koffi that is used. */
interface Koffi {
  load(path: null): KoffiLibrary;
  address(value: Uint8Array): bigint;
  sizeof(type: string): number;
  errno(): number;
  /** A poll handle of libuv's (uv_poll_t) in the loop of this thread. koffi has it since 2.15, and says that it may change. */
  readonly node?: {
    poll(fd: number, callback: (status: number) => void): KoffiPollHandle | null;
  };
}

/**
 * Machines whose <asm/socket.h> and errno numbers are the generic ones, all little-endian. MIPS has others. The layouts differ by
 * the size of a word alone, and are the same for glibc and musl, which pads its own to the kernel's.
 */
const KNOWN_MACHINES = new Set(["arm", "arm64", "ia32", "loong64", "ppc64", "riscv64", "x64"]);

const F_DUPFD_CLOEXEC = 1030;
const CLOCK_MONOTONIC = 1;
/** The number of the call is the same on every machine of 32 bits. */
const TIMERFD_SETTIME64 = 411;
const TFD_NONBLOCK = 0o4000;
const TFD_CLOEXEC = 0o2000000;

let loaded: Libc | undefined | null = null;

/** @returns the C library, or undefined where there is no koffi or the machine is not known. Loaded at the first call: 4 MB. */
export function loadLibc(): Libc | undefined {
  if (loaded === null) loaded = load();
  return loaded;
}

function load(): Libc | undefined {
  if (process.platform !== "linux" || endianness() !== "LE" || !KNOWN_MACHINES.has(process.arch)) return undefined;
  try {
    return bindLibc(createRequire(import.meta.url)("koffi") as Koffi);
  } catch {
    // An optional dependency that is not there, has no binary for this board or another shape is no fault.
    return undefined;
  }
}

function bindLibc(koffi: Koffi): Libc | undefined {
  const wordBytes = koffi.sizeof("void *");
  if (wordBytes !== 4 && wordBytes !== 8) return undefined;
  // The program itself is linked with the C library that it runs on, whatever its file is called.
  const library = koffi.load(null);
  const setsockopt = library.func("setsockopt", "int", ["int", "int", "int", "void *", "uint32_t"]);
  const getsockopt = library.func("getsockopt", "int", ["int", "int", "int", "void *", "void *"]);
  const bind = library.func("bind", "int", ["int", "void *", "uint32_t"]);
  const addressOf = (bytes: Uint8Array): number => memoryAddress(koffi.address(bytes));
  // Whether this machine's addresses are such as can be handed over is better known before anything relies on it.
  addressOf(new Uint8Array(new ArrayBuffer(1)));
  const fcntl = library.func("fcntl", "int", ["int", "int", "..."]);
  const recvmmsg = library.func("recvmmsg", "int", ["int", "uintptr_t", "uint32_t", "int", "uintptr_t"]);
  const send = library.func("send", "intptr_t", ["int", "void *", "size_t", "int"]);
  const timerfdCreate = library.func("timerfd_create", "int", ["int", "int"]);
  const setTimer = bindSetTimer(library, wordBytes);
  const value = new Int32Array(1);
  const valueBytes = new Uint32Array(1);
  return {
    wordBytes,
    errno: () => koffi.errno(),
    addressOf,
    socket: library.func("socket", "int", ["int", "int", "int"]),
    bind: (fd, address) => bind(fd, address, address.length),
    setOption(fd, level, name, newValue) {
      value[0] = newValue;
      return setsockopt(fd, level, name, value, value.byteLength);
    },
    getOption(fd, level, name) {
      valueBytes[0] = value.byteLength;
      return getsockopt(fd, level, name, value, valueBytes) === 0 ? value[0] : undefined;
    },
    send: (fd, bytes, flags) => send(fd, bytes, bytes.length, flags),
    sendmsg: library.func("sendmsg", "intptr_t", ["int", "uintptr_t", "int"]),
    recvmmsg: (fd, messagesAddress, messages, flags) => recvmmsg(fd, messagesAddress, messages, flags, 0),
    duplicate: (fd) => fcntl(fd, F_DUPFD_CLOEXEC, "int", 0),
    close: library.func("close", "int", ["int"]),
    timer: () => timerfdCreate(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC),
    setTimer,
    watch: (fd, onReadable) => watch(koffi, fd, onReadable),
  };
}

/**
 * On 32 bits the C library's function takes times of either size, as the library was built; the kernel's own takes one. Variadic in C; on
 * all these machines integers and pointers are passed alike either way.
 */
function bindSetTimer(library: KoffiLibrary, wordBytes: 4 | 8): Libc["setTimer"] {
  if (wordBytes === 8) {
    const timerfdSettime = library.func("timerfd_settime", "int", ["int", "int", "uintptr_t", "uintptr_t"]);
    return (fd, specAddress) => timerfdSettime(fd, 0, specAddress, 0);
  }
  const call = library.func("syscall", "intptr_t", ["intptr_t", "int", "int", "uintptr_t", "uintptr_t"]);
  return (fd, specAddress) => call(TIMERFD_SETTIME64, fd, 0, specAddress, 0);
}

function watch(koffi: Koffi, fd: number, onReadable: (readable: boolean) => void): DescriptorWatch | undefined {
  const onStatus = (status: number): void => onReadable(status === 0);
  let handle: KoffiPollHandle | null | undefined;
  try {
    handle = koffi.node?.poll(fd, onStatus);
  } catch {
    // A descriptor that libuv does not take, or another shape of koffi: there is no handle.
  }
  return handle ? new HandleWatch(handle, onStatus) : undefined;
}

class HandleWatch implements DescriptorWatch {
  private readonly handle: KoffiPollHandle;
  private readonly onStatus: (status: number) => void;

  constructor(handle: KoffiPollHandle, onStatus: (status: number) => void) {
    this.handle = handle;
    this.onStatus = onStatus;
  }

  stop(): void {
    this.handle.stop();
  }

  start(): boolean {
    try {
      this.handle.start(this.onStatus);
      return true;
    } catch {
      // libuv did not take it back; the caller knows what to do without.
      return false;
    }
  }

  close(): void {
    this.handle.close();
  }
}
