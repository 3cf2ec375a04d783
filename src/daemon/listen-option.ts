// Where to listen, as --listen says, and what to tell a person whose address cannot be listened on.

import { isIP } from "node:net";
import { formatHostPort } from "../io/forward-target.ts";
import { OperatingError, systemCode, UsageError } from "./usage-error.ts";

export interface ListenPlace {
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
}

/** @param text "port", "host:port", "[v6]:port". @param defaultHost where the text names none. @throws UsageError */
export function parseListenOption(text: string, defaultHost: string): ListenPlace {
  const match = /^(?:(?:\[([^\]]+)\]|([^:[\]\s/]*)):)?(\d{1,5})$/.exec(text);
  const port = match === null ? Number.NaN : Number(match[3]);
  if (match === null || port > 65535 || (match[1] !== undefined && isIP(match[1]) !== 6)) {
    throw new UsageError(
      `"${text}" is nothing to listen on; expected [host:]port with a port from 1 to 65535, or 0 for one that is free`,
    );
  }
  return { host: match[1] || match[2] || defaultHost, port };
}

/**
 * @param option the one that named the place.
 * @returns the same error in words where the system did not let us listen, else the error itself.
 */
export function listenError(
  error: unknown,
  place: ListenPlace,
  protocol: "TCP" | "UDP",
  option: "--listen" | "--alternate" | "--websocket" = "--listen",
): unknown {
  const where = formatHostPort(place.host, place.port);
  switch (systemCode(error)) {
    case "EADDRINUSE":
      return new OperatingError(
        "address-in-use",
        `${where} (${protocol}) is in use by another program; end that one, or choose another port with ${option}`,
      );
    case "EACCES":
    case "EPERM":
      return new OperatingError(
        "address-forbidden",
        `this user may not listen on ${where} (${protocol}); choose a port from 1024 up with ${option}`,
      );
    case "EADDRNOTAVAIL":
      return new OperatingError(
        "address-not-here",
        `this machine has no address ${place.host}; choose one of its own with ${option}${option === "--listen" ? ", or 0.0.0.0 for all" : ""}`,
      );
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return new OperatingError(
        "unknown-host",
        `the host "${place.host}" is not known; check its spelling, or give an IP address to ${option}`,
      );
    default:
      return error;
  }
}
