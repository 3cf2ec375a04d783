// A TUN device: a network interface whose other end is this program, which reads the IP packets that the kernel sends into it and
// writes those that the kernel is to receive (Documentation/networking/tuntap.rst of the kernel's sources). Made by opening
// /dev/net/tun and one ioctl; it is gone when its descriptor is closed, also by the end of the process.

import { closeSync, constants, openSync } from "node:fs";
import { constants as osConstants } from "node:os";
import { getSystemErrorName } from "node:util";
import { parseIp } from "../base/address.ts";
import { assert } from "../base/assert.ts";
import type { TunLibc } from "./tun-libc.ts";

const TUN_PATH = "/dev/net/tun";
/** _IOW('T', 202, int), which POWER encodes in its own way. */
const TUNSETIFF = process.arch === "ppc64" ? 0x800454ca : 0x400454ca;
const IFF_TUN = 0x0001;
/** No header of four bytes before each packet. */
const IFF_NO_PI = 0x1000;
const IFF_UP = 0x0001;

const SIOCGIFFLAGS = 0x8913;
const SIOCSIFFLAGS = 0x8914;
const SIOCSIFADDR = 0x8916;
const SIOCSIFNETMASK = 0x891c;
const SIOCSIFMTU = 0x8922;
const AF_INET = 2;
const SOCK_DGRAM = 2;

/** struct ifreq: the name, and behind it what the request is about. 40 bytes where words have 8, and less elsewhere. */
const REQUEST_BYTES = 40;
const NAME_BYTES = 16;

export interface TunSettings {
  /** An IPv4 address. */
  readonly address: string;
  /** Of its network: 24 for a /24. */
  readonly prefixBits: number;
  /** Of an IP packet. */
  readonly mtuBytes: number;
}

export class TunDevice {
  readonly name: string;
  readonly fd: number;
  private readonly libc: TunLibc;

  private constructor(libc: TunLibc, name: string, fd: number) {
    this.libc = libc;
    this.name = name;
    this.fd = fd;
  }

  /**
   * Makes the device in the network namespace of the calling thread. It has no address yet and is down.
   * @param name up to 15 characters
   * @throws the error of the system, with its `code`: EPERM or EACCES without the right to, EBUSY where the name is taken.
   */
  static open(libc: TunLibc, name: string): TunDevice {
    const fd = openSync(TUN_PATH, constants.O_RDWR | constants.O_NONBLOCK);
    const request = requestFor(name);
    new DataView(request.buffer).setUint16(NAME_BYTES, IFF_TUN | IFF_NO_PI, true);
    if (libc.ioctl(fd, TUNSETIFF, request) < 0) {
      const error = systemError(libc, `making the TUN device ${name}`);
      closeSync(fd);
      throw error;
    }
    return new TunDevice(libc, name, fd);
  }

  /** Gives the device its address and brings it up; to be called in the namespace where it was made. @throws as open does. */
  configure(settings: TunSettings): void {
    const { libc } = this;
    const socket = libc.socket(AF_INET, SOCK_DGRAM, 0);
    if (socket < 0) throw systemError(libc, "opening a socket");
    try {
      this.set(socket, SIOCSIFMTU, "MTU", (view) => view.setInt32(NAME_BYTES, settings.mtuBytes, true));
      const address = parseIp(settings.address);
      assert(address?.length === 4, "the address of a TUN device is an IPv4 address");
      this.set(socket, SIOCSIFADDR, "address", (view) => writeAddress(view, address));
      this.set(socket, SIOCSIFNETMASK, "network", (view) => writeAddress(view, maskOf(settings.prefixBits)));
      const flags = requestFor(this.name);
      const view = new DataView(flags.buffer);
      if (libc.ioctl(socket, SIOCGIFFLAGS, flags) < 0) throw systemError(libc, `reading the flags of ${this.name}`);
      view.setUint16(NAME_BYTES, view.getUint16(NAME_BYTES, true) | IFF_UP, true);
      if (libc.ioctl(socket, SIOCSIFFLAGS, flags) < 0) throw systemError(libc, `bringing ${this.name} up`);
    } finally {
      libc.close(socket);
    }
  }

  private set(socket: number, request: number, what: string, write: (view: DataView) => void): void {
    const bytes = requestFor(this.name);
    write(new DataView(bytes.buffer));
    if (this.libc.ioctl(socket, request, bytes) < 0) {
      throw systemError(this.libc, `setting the ${what} of ${this.name}`);
    }
  }

  /** @returns the length of the packet that was put at the start of `into`, or 0 where none waits. @throws as open does. */
  read(into: Uint8Array): number {
    const lengthBytes = this.libc.read(this.fd, into, into.length);
    if (lengthBytes >= 0) return lengthBytes;
    const code = this.libc.errno();
    if (code === osConstants.errno.EAGAIN || code === osConstants.errno.EINTR) return 0;
    throw systemError(this.libc, `reading from ${this.name}`);
  }

  /** Hands the kernel one packet, the first bytes of `packet`. @returns false where it takes none: the device is down, or has no room. */
  write(packet: Uint8Array, lengthBytes = packet.length): boolean {
    return this.libc.write(this.fd, packet, lengthBytes) === lengthBytes;
  }

  close(): void {
    closeSync(this.fd);
  }
}

function requestFor(name: string): Uint8Array<ArrayBuffer> {
  const request = new Uint8Array(REQUEST_BYTES);
  assert(name.length > 0 && name.length < NAME_BYTES, "a device has a name of 1 to 15 characters");
  request.set(Buffer.from(name, "latin1"));
  return request;
}

/** A sockaddr_in without a port. */
function writeAddress(view: DataView, address: Uint8Array): void {
  view.setUint16(NAME_BYTES, AF_INET, true);
  for (const [at, byte] of address.entries()) view.setUint8(NAME_BYTES + 4 + at, byte);
}

function maskOf(prefixBits: number): Uint8Array {
  const mask = new DataView(new ArrayBuffer(4));
  mask.setUint32(0, prefixBits === 0 ? 0 : (0xffff_ffff << (32 - prefixBits)) >>> 0);
  return new Uint8Array(mask.buffer);
}

function systemError(libc: TunLibc, what: string): Error {
  const code = getSystemErrorName(-libc.errno());
  return Object.assign(new Error(`${code}: ${what}`), { code });
}
