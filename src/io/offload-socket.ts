// A UDP socket made by hand, so that it has what Node cannot ask for: received packets of one sender joined by the kernel (UDP_GRO),
// told with what the routers on their way have written into their headers (ECN, RFC 3168), Don't Fragment without the kernel's own idea of the path's MTU (RFC 8899 wants to probe it), and buffers beyond the system's
// cap where we are root. It is handed to dgram, which sends what had to wait, and tells when something came until libuv does so by
// itself; offload-sender.ts sends and offload-receiver.ts receives all the rest.

import type { Socket } from "node:dgram";
import { SOCKET_BUFFER_BYTES } from "../base/limits.ts";
import type { Log } from "../base/log.ts";
import type { DatagramCounters } from "./datagram-socket.ts";
import { IPPROTO_IP, IPPROTO_IPV6, type Libc, loadLibc } from "./libc.ts";
import { AF_INET, AF_INET6, kernelAddress } from "./offload-address.ts";
import { SOL_UDP, UDP_SEGMENT } from "./offload-message.ts";
import { OffloadReceiver, type OffloadReceiverOptions } from "./offload-receiver.ts";
import { OffloadSender } from "./offload-sender.ts";

const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0x80000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_SNDBUF = 7;
const SO_RCVBUF = 8;
const SO_SNDBUFFORCE = 32;
const SO_RCVBUFFORCE = 33;
const IP_MTU_DISCOVER = 10;
const IP_RECVTOS = 13;
const IPV6_MTU_DISCOVER = 23;
const IPV6_V6ONLY = 26;
const IPV6_DONTFRAG = 62;
const IPV6_RECVTCLASS = 66;
/** IP_PMTUDISC_PROBE and its twin of IPv6. */
const PMTUDISC_PROBE = 3;
const UDP_GRO = 104;

/** A bound dgram socket, and what uses the same descriptor, no longer than until `socket` is closed. */
export interface OffloadSocket {
  readonly socket: Socket;
  /** Whether the kernel took Don't Fragment for every family that the socket reaches. */
  readonly neverFragments: boolean;
  createSender(counters: DatagramCounters): OffloadSender;
  createReceiver(counters: DatagramCounters, parse: OffloadReceiverOptions["parse"]): OffloadReceiver;
}

interface Place {
  /** An IP address; "::" takes both families. */
  readonly host: string;
  /** 0 for one that is free. */
  readonly port: number;
  readonly log: Log;
}

/**
 * @param createSocket makes the dgram socket of the host's family that is to receive
 * @returns undefined where it cannot be had; binding a plain socket then says why, or works.
 */
export function openOffloadSocket(
  place: Place,
  createSocket: () => Socket,
  libc: Libc | undefined = loadLibc(),
): OffloadSocket | undefined {
  if (libc === undefined) return undefined;
  const family = place.host.includes(":") ? 6 : 4;
  const descriptor = bindDescriptor(libc, family, place);
  if (descriptor === undefined) return undefined;
  const { fd, neverFragments } = descriptor;
  const socket = adopt(libc, fd, createSocket());
  if (socket === undefined) return undefined;
  // A kernel before 4.18 does not know UDP_SEGMENT, and has no value for it.
  const segmentation = libc.getOption(fd, SOL_UDP, UDP_SEGMENT) !== undefined;
  const { log } = place;
  return {
    socket,
    neverFragments,
    createSender: (counters) => new OffloadSender({ libc, fd, family, segmentation, counters, log }),
    createReceiver: (counters, parse) => new OffloadReceiver({ libc, fd, family, counters, parse }),
  };
}

function bindDescriptor(
  libc: Libc,
  family: 4 | 6,
  { host, port, log }: Place,
): { fd: number; neverFragments: boolean } | undefined {
  const address = kernelAddress(family, host, port);
  if (address === undefined) return undefined;
  const fd = libc.socket(family === 6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return undefined;
  const set = (level: number, name: number, value: number): boolean => libc.setOption(fd, level, name, value) === 0;
  const bothFamilies = family === 4 || set(IPPROTO_IPV6, IPV6_V6ONLY, 0);
  // A socket of IPv6 has the options of both families. Where the kernel lacks one of these, only its use is lost.
  const whole4 = set(IPPROTO_IP, IP_MTU_DISCOVER, PMTUDISC_PROBE);
  const whole6 = family === 4 || set(IPPROTO_IPV6, IPV6_MTU_DISCOVER, PMTUDISC_PROBE);
  if (family === 6) set(IPPROTO_IPV6, IPV6_DONTFRAG, 1);
  set(IPPROTO_IP, IP_RECVTOS, 1);
  if (family === 6) set(IPPROTO_IPV6, IPV6_RECVTCLASS, 1);
  const coalescing = set(SOL_UDP, UDP_GRO, 1);
  if (!set(SOL_SOCKET, SO_RCVBUFFORCE, SOCKET_BUFFER_BYTES)) set(SOL_SOCKET, SO_RCVBUF, SOCKET_BUFFER_BYTES);
  if (!set(SOL_SOCKET, SO_SNDBUFFORCE, SOCKET_BUFFER_BYTES)) set(SOL_SOCKET, SO_SNDBUF, SOCKET_BUFFER_BYTES);
  if (!bothFamilies || libc.bind(fd, address) !== 0) {
    libc.close(fd);
    return undefined;
  }
  const neverFragments = whole4 && whole6;
  log.debug("made a UDP socket with offload", { coalescing, neverFragments });
  return { fd, neverFragments };
}

/** Hands the descriptor to `socket`, which closes it from then on. */
function adopt(libc: Libc, fd: number, socket: Socket): Socket | undefined {
  try {
    socket.bind({ fd, exclusive: true });
  } catch {
    // Another runtime's idea of dgram, perhaps: the plain socket is always there.
    libc.close(fd);
    socket.close();
    return undefined;
  }
  // libuv sets SO_REUSEADDR on whatever it is handed. On UDP that would let any other program, of any user, bind the same
  // port and take our packets.
  libc.setOption(fd, SOL_SOCKET, SO_REUSEADDR, 0);
  return socket;
}
