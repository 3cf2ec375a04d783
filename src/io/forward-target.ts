// Where the exposing side delivers: a TCP port or a unix socket, parsed from what a person writes, and connected to.

import { connect, isIP, type Socket } from "node:net";
import { FORWARD_BUFFER_BYTES_MIN, FORWARD_CONNECT_TIMEOUT_MS } from "../base/limits.ts";
import { streamCode } from "../wire/stream-code.ts";

export type ForwardTarget =
  | {
      readonly kind: "tcp";
      readonly host: string;
      readonly port: number;
      /** Tried where `host` refuses: many programs that listen on "localhost" listen on ::1 alone. */
      readonly fallbackHost?: string;
    }
  | { readonly kind: "unix"; readonly path: string };

/** What parsing says where the text is no target: what it is, and what was expected. */
export interface Problem {
  readonly problem: string;
}

/** The longest path that a sockaddr_un holds on Linux, and one byte for its end. */
const UNIX_PATH_BYTES_MAX = 107;

/** @param text "3000", "host:3000", "[::1]:3000" or "unix:/path". */
export function parseForwardTarget(text: string): ForwardTarget | Problem {
  if (text.startsWith("unix:")) {
    const path = text.slice("unix:".length);
    if (!path.startsWith("/")) return { problem: `${text} is no absolute path; write unix:/path/to/socket` };
    if (Buffer.byteLength(path) > UNIX_PATH_BYTES_MAX) {
      return { problem: `the path of a unix socket has at most ${UNIX_PATH_BYTES_MAX} bytes` };
    }
    return { kind: "unix", path };
  }
  if (/^\d+$/.test(text)) {
    const port = parsePort(text);
    if (port === undefined) return { problem: `${text} is no port; ports go from 1 to 65535` };
    return { kind: "tcp", host: "127.0.0.1", port, fallbackHost: "::1" };
  }
  const match = /^(?:\[([^\]]+)\]|([^:[\]\s/]+)):([^:]*)$/.exec(text);
  if (match === null) {
    return { problem: `"${text}" is no target; write a port (3000), host:port (10.0.0.5:3000) or unix:/path` };
  }
  const host = (match[1] ?? match[2]) as string;
  if (match[1] !== undefined && isIP(host) !== 6) return { problem: `[${host}] is no IPv6 address` };
  const port = parsePort(match[3] as string);
  if (port === undefined) return { problem: `"${match[3]}" in ${text} is no port; ports go from 1 to 65535` };
  return { kind: "tcp", host, port };
}

/** @returns 1 to 65535, or undefined. */
export function parsePort(text: string): number | undefined {
  if (!/^\d{1,5}$/.test(text)) return undefined;
  const port = Number(text);
  return port >= 1 && port <= 65535 ? port : undefined;
}

/** "127.0.0.1:3000", "[::1]:3000" or "unix:/path". */
export function formatForwardTarget(target: ForwardTarget): string {
  if (target.kind === "unix") return `unix:${target.path}`;
  return formatHostPort(target.host, target.port);
}

/** "host:port", with an IPv6 address in brackets. */
export function formatHostPort(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** A target that did not take the connection. */
export interface TargetFailure {
  /** The code that the stream is reset with. */
  readonly code: number;
  readonly message: string;
}

/** @returns a connected socket, paused, or why there is none; it never rejects. */
export async function connectTarget(target: ForwardTarget): Promise<Socket | TargetFailure> {
  const first = await connectOnce(target);
  if (target.kind === "unix" || target.fallbackHost === undefined || isSocket(first)) return first;
  const second = await connectOnce({ kind: "tcp", host: target.fallbackHost, port: target.port });
  return isSocket(second) ? second : first;
}

export function isSocket(result: Socket | TargetFailure): result is Socket {
  return "destroyed" in result;
}

function connectOnce(target: ForwardTarget): Promise<Socket | TargetFailure> {
  return new Promise((resolve) => {
    const place = target.kind === "unix" ? { path: target.path } : { host: target.host, port: target.port };
    const options = { allowHalfOpen: true, highWaterMark: FORWARD_BUFFER_BYTES_MIN, noDelay: true };
    const socket = connect({ ...place, ...options });
    const timer = setTimeout(() => socket.destroy(timedOut()), FORWARD_CONNECT_TIMEOUT_MS);
    const onError = (error: Error): void => {
      clearTimeout(timer);
      resolve(failureOf(error));
    };
    socket.once("error", onError);
    socket.once("connect", () => {
      clearTimeout(timer);
      socket.off("error", onError);
      socket.pause();
      resolve(socket);
    });
  });
}

function timedOut(): Error {
  const message = `no answer within ${FORWARD_CONNECT_TIMEOUT_MS / 1000} s`;
  return Object.assign(new Error(message), { code: "ETIMEDOUT" });
}

function failureOf(error: Error): TargetFailure {
  // Several addresses of one name were tried: the first failure stands for all.
  const cause = error instanceof AggregateError ? (error.errors[0] as Error) : error;
  const code = (cause as NodeJS.ErrnoException).code;
  switch (code) {
    case "ECONNREFUSED":
      return { code: streamCode.targetRefused, message: "nothing listens there (connection refused)" };
    case "EMFILE":
    case "ENFILE":
      return { code: streamCode.outOfResources, message: "this process has no file descriptors left" };
    default:
      return { code: streamCode.targetUnreachable, message: cause.message };
  }
}
