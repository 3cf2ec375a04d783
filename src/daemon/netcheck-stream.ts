// By which ways a rendezvous is reached where UDP does not get through: every way that an agent tries is tried, and over each the
// rendezvous is asked who it is, as it is asked over UDP.

import { setTimeout as sleep } from "node:timers/promises";
import type { SocketAddress } from "../base/address.ts";
import { STREAM_PROBE_MS, WEBSOCKET_PORT_DEFAULT } from "../base/limits.ts";
import type { Log } from "../base/log.ts";
import { randomBytes } from "../base/random.ts";
import { type Carrier, RouteTable } from "../base/route.ts";
import type { RendezvousPlace } from "../crypto/rendezvous-address.ts";
import { equalBytes } from "../crypto/secret.ts";
import { CarrierDialler } from "../io/carrier-dialler.ts";
import type { StreamCarrier } from "../io/stream-carrier.ts";
import { systemRandom } from "../io/system-random.ts";
import type { OpenedCarrier } from "../tunnel/carrier-goal.ts";
import { decodeIdentityReply, encodeIdentityRequest, IDENTITY_NONCE_BYTES } from "../wire/identity-exchange.ts";
import type { Environment } from "./state-directory.ts";

/** A way over which a rendezvous has answered. */
export interface StreamAnswer {
  readonly over: "tcp" | "websocket";
  readonly byProxy: boolean;
  /** The Ed25519 key that it shows, which nobody has proven to hold. */
  readonly publicKey: Uint8Array;
}

/** The addresses of a rendezvous; none where its name is not known, which a proxy may know. */
interface StreamTargets {
  readonly addresses: readonly SocketAddress[];
}

export interface StreamProbeContext {
  /** Where the proxy is named. */
  readonly env: Environment;
  readonly log: Log;
}

/** @returns those that answered, the sooner first. */
export async function probeStreams(
  { host, port, websocketPort = WEBSOCKET_PORT_DEFAULT, addresses }: RendezvousPlace & StreamTargets,
  { env, log }: StreamProbeContext,
): Promise<readonly StreamAnswer[]> {
  const answers: StreamAnswer[] = [];
  const asked = new Map<Carrier, Question>();
  const dialler = new CarrierDialler({
    environment: env,
    log,
    onOpened: (_goal, opened, socket) => {
      const question = new Question(socket, opened);
      asked.set(opened.carrier, question);
      void question.answer.then((publicKey) => {
        if (publicKey !== undefined) answers.push({ over: opened.kind, byProxy: opened.byProxy, publicKey });
      });
    },
    onClosed: (carrier) => asked.get(carrier)?.giveUp(),
  });
  const all = dialler
    .open({ to: "rendezvous", host, port, websocketPort, addresses })
    .then(() => Promise.all([...asked.values()].map(({ answer }) => answer)));
  const timeUp = new AbortController();
  const late = sleep(STREAM_PROBE_MS, undefined, { signal: timeUp.signal }).catch(() => {});
  await Promise.race([all, late]);
  timeUp.abort();
  dialler.stop();
  for (const { socket } of asked.values()) socket.close();
  return answers;
}

/** Asked over one stream. */
class Question {
  readonly socket: StreamCarrier;
  /** The key that is shown; undefined where the stream ended without an answer. */
  readonly answer: Promise<Uint8Array | undefined>;
  private settle: (publicKey?: Uint8Array) => void = () => {};

  constructor(socket: StreamCarrier, { carrier, remote }: OpenedCarrier) {
    const nonce = randomBytes(systemRandom, IDENTITY_NONCE_BYTES);
    this.socket = socket;
    this.answer = new Promise((resolve) => {
      this.settle = resolve;
    });
    socket.start({
      onReady() {},
      onAllRead() {},
      onDatagram: (_from, bytes) => {
        const reply = decodeIdentityReply(bytes);
        if (reply !== undefined && equalBytes(reply.nonce, nonce)) this.settle(reply.publicKey);
      },
    });
    socket.transmit.single(new RouteTable().direct(remote, carrier), encodeIdentityRequest(nonce));
    socket.send();
  }

  giveUp(): void {
    this.settle();
  }
}
