// The HTTP proxy that a network wants its traffic to go through, as HTTPS_PROXY and NO_PROXY name it, and the method CONNECT
// (RFC 9110 §9.3.6), by which it passes on a connection that it does not look into.

import type { RequestOptions } from "node:http";
import type { Socket } from "node:net";
import { parseIp } from "../base/address.ts";
import { STREAM_OPEN_MS } from "../base/limits.ts";

/** The names under which programs look for it; the first that is set counts. */
const PROXY_VARIABLES = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
const EXCEPTION_VARIABLES = ["NO_PROXY", "no_proxy"];

type Environment = Readonly<Record<string, string | undefined>>;

const firstOf = (environment: Environment, names: readonly string[]): string =>
  names.map((name) => environment[name]?.trim()).find((value) => value !== undefined && value !== "") ?? "";

/** @returns the proxy of this environment, or why what it names cannot be used; undefined where it names none. */
export function proxyOf(environment: Environment): URL | { readonly problem: string } | undefined {
  const text = firstOf(environment, PROXY_VARIABLES);
  if (text === "") return undefined;
  const absolute = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`;
  // The text may hold a password, so it is not shown.
  if (!URL.canParse(absolute)) return { problem: "HTTPS_PROXY holds no URL; expected http://host:port" };
  const url = new URL(absolute);
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    return {
      problem: `HTTPS_PROXY names a proxy of kind "${url.protocol}", which is not known; expected http://host:port`,
    };
  }
  return url;
}

/** Whether NO_PROXY says that `host` is reached without the proxy: by its name, the end of its name, or "*". */
export function isException(environment: Environment, host: string): boolean {
  const name = host.toLowerCase();
  return firstOf(environment, EXCEPTION_VARIABLES)
    .toLowerCase()
    .split(/[\s,]+/)
    .filter((entry) => entry !== "")
    .some((entry) => {
      const suffix = entry.replace(/^\*?\./, "");
      return entry === "*" || name === suffix || (parseIp(name) === undefined && name.endsWith(`.${suffix}`));
    });
}

/** @throws URIError where the URL's user or password is not well encoded. */
function authorization({ username, password }: URL): Record<string, string> {
  if (username === "") return {};
  const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { "Proxy-Authorization": `Basic ${Buffer.from(credentials).toString("base64")}` };
}

/** Has the proxy connect to `host`, which it looks up itself. Rejects where it cannot be reached or does not want to. */
export async function connectByProxy(proxy: URL, host: string, port: number): Promise<Socket> {
  const target = host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
  const secure = proxy.protocol === "https:";
  // Where there is no proxy, TLS need not be loaded.
  const { request: send } = secure ? await import("node:https") : await import("node:http");
  const options: RequestOptions = {
    host: proxy.hostname.replace(/^\[|\]$/g, ""),
    port: proxy.port || (secure ? 443 : 80),
    method: "CONNECT",
    path: target,
    headers: { Host: target, ...authorization(proxy) },
    agent: false,
  };
  return new Promise((resolve, reject) => {
    const request = send(options);
    const timer = setTimeout(() => request.destroy(new Error("the proxy does not answer")), STREAM_OPEN_MS);
    request.once("close", () => clearTimeout(timer));
    request.once("error", reject);
    request.once("connect", (response, socket, head) => {
      clearTimeout(timer);
      // Until somebody takes the socket over; an error is followed by "close".
      socket.on("error", () => {});
      if (Math.floor((response.statusCode ?? 0) / 100) !== 2) {
        socket.destroy();
        reject(new Error(`the proxy refuses to connect to ${target} (${response.statusCode})`));
        return;
      }
      if (head.length > 0) socket.unshift(head);
      resolve(socket as Socket);
    });
    request.end();
  });
}
