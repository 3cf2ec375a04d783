// Opens TCP connections: to one address, to whichever of several answers first, or to a peer that connects at the same moment.

import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { SocketAddress } from "../base/address.ts";
import {
  SIMULTANEOUS_OPEN_MS,
  SIMULTANEOUS_OPEN_PAUSE_MS,
  SIMULTANEOUS_OPEN_TRY_MS,
  STREAM_OPEN_MS,
} from "../base/limits.ts";

interface TcpConnectingOptions {
  readonly timeoutMs?: number;
  /** Which of our addresses and ports it leaves from; one that is free unless told. */
  readonly localHost?: string;
  readonly localPort?: number;
}

/** Rejects with the system's error, or when the time is up. */
function connectTcp(to: SocketAddress, options: TcpConnectingOptions = {}): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      host: to.host,
      port: to.port,
      // Bound to a port before it connects: only so can another connection leave from the same port (SO_REUSEADDR).
      localAddress: options.localHost ?? (to.family === 4 ? "0.0.0.0" : "::"),
      ...(options.localPort === undefined ? {} : { localPort: options.localPort }),
      noDelay: true,
    });
    const timer = setTimeout(() => socket.destroy(new Error("no answer")), options.timeoutMs ?? STREAM_OPEN_MS);
    // Stays for good: an error is followed by "close".
    socket.on("error", reject);
    socket.once("close", () => clearTimeout(timer));
    socket.once("connect", () => {
      clearTimeout(timer);
      resolve(socket);
    });
  });
}

/** Connects to all of them at once; the first to answer stays. */
export async function connectFirst(addresses: readonly SocketAddress[]): Promise<Socket> {
  let found: Socket | undefined;
  const attempts = addresses.map(async (address) => {
    const socket = await connectTcp(address);
    if (found !== undefined) {
      socket.destroy();
      throw new Error("another address answered first");
    }
    found = socket;
    return socket;
  });
  return Promise.any(attempts);
}

/**
 * Connects to a peer that does the same towards us (simultaneous open, RFC 9293 §3.5), from a port whose mapping both NATs have been
 * told of by the first packet each. Whoever is first may be refused, so it is tried again with jitter for some seconds.
 */
export async function connectSimultaneously(
  to: SocketAddress,
  from: { readonly localHost: string; readonly localPort: number },
  signal: AbortSignal,
): Promise<Socket> {
  const endMs = performance.now() + SIMULTANEOUS_OPEN_MS;
  for (;;) {
    try {
      return await connectTcp(to, { ...from, timeoutMs: SIMULTANEOUS_OPEN_TRY_MS });
    } catch (error) {
      const pauseMs = SIMULTANEOUS_OPEN_PAUSE_MS * (0.5 + Math.random());
      if (signal.aborted || performance.now() + pauseMs >= endMs) throw error;
      await sleep(pauseMs);
    }
  }
}
