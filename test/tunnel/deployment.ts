// A whole deployment inside one test: two agents behind NATs, a rendezvous between them, and the smallest application on top: a client
// that sends a pattern and a service that answers with one of its own.

import assert from "node:assert/strict";
import { silentLog } from "../../src/base/log.ts";
import { type Random, randomBytes } from "../../src/base/random.ts";
import type { Identity } from "../../src/crypto/identity.ts";
import { bestPacketCipher } from "../../src/crypto/packet-cipher.ts";
import { createSecret } from "../../src/crypto/secret.ts";
import { RendezvousServer, type RendezvousServerEvent } from "../../src/rendezvous/rendezvous-server.ts";
import type { StunSocket } from "../../src/rendezvous/stun-responder.ts";
import type { Stream } from "../../src/transport/stream.ts";
import { Agent } from "../../src/tunnel/agent.ts";
import type { AgentSettings } from "../../src/tunnel/agent-config.ts";
import type { AgentEvent } from "../../src/tunnel/agent-event.ts";
import type { Dial } from "../../src/tunnel/dial.ts";
import type { ServiceOptions } from "../../src/tunnel/service.ts";
import { seededIdentity } from "../crypto/seeded-identity.ts";
import type { Host } from "../sim/host.ts";
import { SeededRandom } from "../sim/seeded-random.ts";
import { type TwoNats, type TwoNatsOptions, twoNats } from "../sim/topology.ts";
import type { World } from "../sim/world.ts";
import { Pattern } from "./pattern.ts";

const cipher = bestPacketCipher();

const REQUEST = new Pattern((i) => i * 7 + (i >> 8));
const ANSWER = new Pattern((i) => i * 13 + (i >> 9) + 5);

/** One forwarded connection, as either of its ends sees it. */
export class Exchange {
  readonly stream: Stream;
  private readonly sends: Pattern;
  private readonly expects: Pattern;
  toSend: number;
  sent = 0;
  received = 0;
  ended = false;
  closed = false;
  resetCode: number | undefined;
  firstByteAtMs: number | undefined;

  constructor(stream: Stream, role: "client" | "service", toSend: number) {
    this.stream = stream;
    this.sends = role === "client" ? REQUEST : ANSWER;
    this.expects = role === "client" ? ANSWER : REQUEST;
    this.toSend = toSend;
  }

  write(nowMs: number): void {
    while (this.sent < this.toSend) {
      const size = Math.min(16_384, this.toSend - this.sent);
      const more = this.stream.write(nowMs, this.sends.piece(this.sent, size));
      this.sent += size;
      if (this.sent === this.toSend) this.stream.finish(nowMs);
      if (!more) return;
    }
    if (this.toSend === 0) this.stream.finish(nowMs);
  }

  read(nowMs: number): void {
    for (let bytes = this.stream.read(); bytes !== undefined; bytes = this.stream.read()) {
      this.firstByteAtMs ??= nowMs;
      assert.ok(this.expects.has(bytes, this.received), `wrong bytes from ${this.received} on`);
      this.received += bytes.length;
    }
    if (this.stream.readEnded) this.ended = true;
  }
}

/** An agent, its events, and what its application does. */
export class AgentHost {
  readonly host: Host;
  readonly identity: Identity;
  agent!: Agent;
  readonly events: AgentEvent[] = [];
  /** How the data of its peer went, at each change. */
  readonly paths: string[] = [];
  readonly exchanges = new Map<Stream, Exchange>();
  /** Sockets beside the main one. */
  socketsOpen = 0;
  socketsPeak = 0;
  /** How long the service's answers are. */
  answerBytes = 100_000;
  private readonly random: Random;
  private readonly settings: Partial<AgentSettings>;

  constructor(host: Host, random: SeededRandom, settings: Partial<AgentSettings> = {}) {
    this.host = host;
    this.random = random;
    this.settings = settings;
    this.identity = seededIdentity(random);
    this.start();
  }

  /** Starts the process, or starts it anew under the same identity. */
  start(): void {
    this.agent = new Agent({
      identity: this.identity,
      instance: randomBytes(this.random, 8),
      random: this.random,
      cipher,
      log: silentLog,
      settings: this.settings,
    });
    this.exchanges.clear();
    this.host.run(this.agent, (nowMs) => this.pump(nowMs));
    this.host.input((nowMs) => this.agent.setLocalAddresses(nowMs, this.host.addresses));
  }

  /** Opens and closes streams, where the world has any. */
  onCarrier: (event: CarrierEvent) => void = () => {};

  private pump(nowMs: number): void {
    for (let event = this.agent.pollEvent(); event !== undefined; event = this.agent.pollEvent()) {
      this.events.push(event);
      switch (event.type) {
        case "path":
          this.paths.push(event.via);
          break;
        case "stream": {
          const exchange = new Exchange(event.stream, "service", this.answerBytes);
          this.exchanges.set(event.stream, exchange);
          exchange.read(nowMs);
          exchange.write(nowMs);
          break;
        }
        case "open-udp-sockets":
          this.socketsOpen += event.carriers.length;
          this.socketsPeak = Math.max(this.socketsPeak, this.socketsOpen);
          for (const carrier of event.carriers) this.host.openSocket(carrier, 20_000 + carrier);
          break;
        case "close-udp-sockets":
          this.socketsOpen -= event.carriers.length;
          for (const carrier of event.carriers) this.host.closeSocket(carrier);
          break;
        case "carrier-wanted":
        case "carrier-unwanted":
          this.onCarrier(event);
          break;
        case "readable":
          this.exchanges.get(event.stream)?.read(nowMs);
          break;
        case "writable":
          this.exchanges.get(event.stream)?.write(nowMs);
          break;
        case "stream-reset": {
          const exchange = this.exchanges.get(event.stream);
          if (exchange !== undefined) exchange.resetCode = event.code;
          break;
        }
        case "stream-closed": {
          const exchange = this.exchanges.get(event.stream);
          if (exchange !== undefined) exchange.closed = true;
          break;
        }
      }
    }
  }

  /** Opens a stream and sends a request of this length. @returns undefined while the dial is not connected. */
  request(dial: Dial, lengthBytes: number): Exchange | undefined {
    return this.host.input((nowMs) => {
      const stream = dial.openStream(nowMs);
      if (stream === undefined) return undefined;
      const exchange = new Exchange(stream, "client", lengthBytes);
      this.exchanges.set(stream, exchange);
      exchange.write(nowMs);
      return exchange;
    });
  }

  /** Whether an event of this type has come. */
  saw(type: AgentEvent["type"]): boolean {
    return this.events.some((event) => event.type === type);
  }
}

export type CarrierEvent = Extract<AgentEvent, { type: "carrier-wanted" | "carrier-unwanted" }>;

export class Deployment {
  readonly world: World;
  /** The rendezvous's process that was started last. */
  server!: RendezvousServer;
  /** Closes streams, where the world has any. */
  onServerEvent: (event: RendezvousServerEvent) => void = () => {};
  readonly nats: TwoNats;
  readonly rendezvousIdentity: Identity;
  /** The exposing side. */
  readonly device: AgentHost;
  /** The connecting side. */
  readonly laptop: AgentHost;
  readonly secret: Uint8Array;
  private readonly random: SeededRandom;

  constructor(world: World, options: TwoNatsOptions, settings: Partial<AgentSettings> = {}) {
    this.world = world;
    this.nats = twoNats(world, options);
    this.random = new SeededRandom(world.options.seed).fork("deployment");
    this.rendezvousIdentity = seededIdentity(this.random);
    this.secret = createSecret(this.random);
    this.startRendezvous();
    this.device = new AgentHost(this.nats.a, this.random.fork("device"), settings);
    this.laptop = new AgentHost(this.nats.b, this.random.fork("laptop"), settings);
    for (const side of [this.device, this.laptop]) this.useRendezvous(side);
  }

  /** @param stunSockets the sockets of its host, opened already, where it has more than the main one. */
  startRendezvous(stunSockets: readonly StunSocket[] = []): RendezvousServer {
    const server = new RendezvousServer({
      identity: this.rendezvousIdentity,
      instance: randomBytes(this.random, 8),
      random: this.random.fork("rendezvous"),
      cipher,
      log: silentLog,
      stunSockets,
    });
    this.server = server;
    this.nats.r.run(server, () => {
      for (let event = server.pollEvent(); event !== undefined; event = server.pollEvent()) this.onServerEvent(event);
    });
    return server;
  }

  useRendezvous(side: AgentHost): void {
    const { address, addresses } = this.nats.r;
    const { publicKey } = this.rendezvousIdentity;
    // IPv6 first, as resolvers have it (RFC 6724), and no family that the host has not.
    const families = new Set(side.host.addresses.map(({ family }) => family));
    const reachable = addresses.filter(({ family }) => families.has(family)).sort((x, y) => y.family - x.family);
    const place = { host: address.host, port: address.port, addresses: reachable, publicKey };
    side.host.input((nowMs) => side.agent.setRendezvous(nowMs, [place]));
  }

  expose(options: Partial<ServiceOptions> = {}): void {
    const service = { name: "web", secret: this.secret, allow: [], public: false, ...options };
    this.device.host.input((nowMs) => this.device.agent.expose(nowMs, service));
  }

  /** @param secret in place of the right one. */
  dial(secret: Uint8Array = this.secret): Dial {
    const peer = this.device.identity.publicKey;
    return this.laptop.host.input((nowMs) => this.laptop.agent.dial(nowMs, { peer, secret, service: "web" }));
  }

  /** Runs until the dial is connected. */
  connect(limitMs = 10_000): Dial {
    const dial = this.dial();
    this.world.runUntil(() => dial.connected !== undefined, limitMs);
    return dial;
  }
}
