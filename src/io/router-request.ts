// One HTTP request to a device of our own network, bounded in time and in what it may answer. No redirect is followed.

import { type RequestOptions, request } from "node:http";
import { UPNP_BODY_BYTES_MAX, UPNP_REQUEST_MS } from "../base/limits.ts";

export interface RouterRequest {
  readonly url: URL;
  /** Our address, from which the connection is made. */
  readonly localAddress: string;
  /** GET without a body, POST with one. */
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Gives the request up. */
  readonly signal: AbortSignal;
}

export interface RouterResponse {
  readonly status: number;
  readonly body: string;
}

/** @throws where nobody answers in time, the answer is too long, or the signal was given. */
export function requestFromRouter(options: RouterRequest): Promise<RouterResponse> {
  const { url, localAddress, body } = options;
  const signal = AbortSignal.any([options.signal, AbortSignal.timeout(UPNP_REQUEST_MS)]);
  const requestOptions: RequestOptions = {
    host: url.hostname,
    port: url.port === "" ? 80 : Number(url.port),
    path: `${url.pathname}${url.search}`,
    method: body === undefined ? "GET" : "POST",
    // With its length told ahead: some routers cannot read a body in chunks.
    headers: { ...options.headers, ...(body === undefined ? {} : { "Content-Length": Buffer.byteLength(body) }) },
    localAddress,
    signal,
    // Every request on a connection of its own, since many routers close theirs without a word.
    agent: false,
  };
  return new Promise((resolve, reject) => {
    const sent = request(requestOptions, (response) => {
      const chunks: Buffer[] = [];
      let lengthBytes = 0;
      response.on("data", (chunk: Buffer) => {
        lengthBytes += chunk.length;
        if (lengthBytes > UPNP_BODY_BYTES_MAX) sent.destroy(new Error("the answer is too long"));
        else chunks.push(chunk);
      });
      response.on("error", reject);
      response.on("end", () => {
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString("utf8") });
      });
    });
    sent.on("error", reject);
    sent.end(body);
  });
}
