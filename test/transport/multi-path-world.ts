// Two hosts that reach each other over several networks at once, and over a relay if wanted:
//
//          .1 ---- network 0 ---- .2
//      A   .1 ---- network 1 ---- .2   B
//          .1 ------- R --------- .2
//
// Each network can be cut, in one direction or both, and mended.

import assert from "node:assert/strict";
import type { Route } from "../../src/base/route.ts";
import type { Connection } from "../../src/transport/connection.ts";
import type { TransportSettings } from "../../src/transport/transport-settings.ts";
import type { Host } from "../sim/host.ts";
import type { LinkSettings } from "../sim/link.ts";
import type { Attachment } from "../sim/network.ts";
import { SeededRandom } from "../sim/seeded-random.ts";
import type { World } from "../sim/world.ts";
import { ChannelRelay, relayPrefixes } from "./channel-relay.ts";
import { addressOf } from "./datagram-tap.ts";
import { EndpointMachine, type StreamRecord } from "./endpoint-machine.ts";

export interface MultiPathOptions {
  /** Both directions of each network, half of which is A's link and half B's: delay and loss are one way, from end to end. */
  readonly networks: readonly Partial<LinkSettings>[];
  /** The same for a relay between the two, where there is one. */
  readonly relay?: Partial<LinkSettings>;
  readonly settings?: Partial<TransportSettings>;
}

interface Lane {
  readonly ends: readonly [Attachment, Attachment];
  /** From A's side and from B's. */
  readonly routes: readonly [Route, Route];
}

export class MultiPathWorld {
  readonly world: World;
  readonly a: EndpointMachine;
  readonly b: EndpointMachine;
  readonly hostA: Host;
  readonly hostB: Host;
  /** The networks in order, and the relay behind them. */
  readonly lanes: Lane[] = [];
  private ours: Connection | undefined;

  constructor(world: World, options: MultiPathOptions) {
    this.world = world;
    const random = new SeededRandom(world.options.seed).fork("machines");
    this.a = new EndpointMachine(random.fork("a"), options.settings);
    this.b = new EndpointMachine(random.fork("b"), options.settings);
    const all = options.relay === undefined ? options.networks : [...options.networks, options.relay];
    const half = all.map((link) => ({
      ...link,
      delayMs: (link.delayMs ?? 0) / 2,
      lossProbability: 1 - Math.sqrt(1 - (link.lossProbability ?? 0)),
    }));
    const networks = all.map((_, i) => world.addNetwork(`network ${i}`));
    const firstNetwork = networks[0] ?? assert.fail("no network");
    this.hostA = world.addHost("A", { ip: "10.0.0.1", network: firstNetwork, ...linkOf(half[0]) });
    this.hostB = world.addHost("B", { ip: "10.0.0.2", network: firstNetwork, ...linkOf(half[0]) });
    const ends: [Attachment, Attachment][] = [[this.hostA.attachment, this.hostB.attachment]];
    for (let i = 1; i < all.length; i++) {
      const network = networks[i] ?? assert.fail();
      ends.push([
        this.hostA.join(network, `10.${i}.0.1`, half[i], half[i]),
        this.hostB.join(network, `10.${i}.0.2`, half[i], half[i]),
      ]);
    }
    for (const [i, pair] of ends.entries()) {
      const routes = [
        this.a.routes.direct(addressOf(`10.${i}.0.2`)),
        this.b.routes.direct(addressOf(`10.${i}.0.1`)),
      ] as const;
      this.lanes.push({ ends: pair, routes });
    }
    if (options.relay !== undefined) this.addRelay(all.length - 1, networks[all.length - 1] ?? assert.fail());
    this.hostA.run(this.a, (nowMs) => this.a.pump(nowMs));
    this.hostB.run(this.b, (nowMs) => this.b.pump(nowMs));
  }

  private addRelay(index: number, network: ReturnType<World["addNetwork"]>): void {
    const host = this.world.addHost("R", { ip: `10.${index}.0.3`, port: 4700, network });
    host.run(new ChannelRelay([addressOf(`10.${index}.0.1`), addressOf(`10.${index}.0.2`)]));
    const routes = [
      this.a.routes.relay(host.address, relayPrefixes[0]),
      this.b.routes.relay(host.address, relayPrefixes[1]),
    ] as const;
    this.lanes[index] = { ...(this.lanes[index] ?? assert.fail()), routes };
  }

  /** A's connection. */
  get connection(): Connection {
    return this.ours ?? assert.fail("not connected");
  }

  /** B's side of it. */
  get accepted(): Connection {
    return this.b.accepted[0] ?? assert.fail("B knows of no connection");
  }

  /** Connects over one lane. */
  start(over: number): void {
    const route = this.lanes[over]?.routes[0] ?? assert.fail();
    // A has heard from B under the keys: each side knows of the other.
    const isMutual = () => this.b.accepted.length > 0 && (this.ours?.spaces.size ?? 0) > 0;
    const isOver = () => this.ours?.state === "closed" || isMutual();
    // On a bad link a handshake may come to nothing, and is begun again.
    for (let i = 0; i < 10 && !isMutual(); i++) {
      this.ours = this.hostA.input((nowMs) => this.a.connectOver(nowMs, this.b.identity, route));
      this.world.runUntil(isOver, 120_000);
    }
    this.a.events.length = 0;
    this.b.events.length = 0;
    this.b.accepted.splice(0, this.b.accepted.length - 1);
  }

  /** Connects over one lane and then opens paths over all others. */
  connect(over = this.lanes.length - 1): this {
    this.start(over);
    const count = this.lanes.length;
    const allOpen = () => this.connection.paths.all.length >= count && this.accepted.paths.all.length >= count;
    for (let i = 0; i < 100 && !allOpen(); i++) {
      this.probeAll();
      this.world.runFor(700);
    }
    assert.ok(allOpen(), "some path was never opened");
    return this;
  }

  /** What traversal does: A asks every route. */
  probeAll(): void {
    this.hostA.input((nowMs) => {
      for (const { routes } of this.lanes) this.connection.probe(nowMs, routes[0]);
    });
  }

  /** One side asks the relay's route and every address that the other has now. */
  probeAllFrom(machine: EndpointMachine, connection: Connection, other: Host, nowMs: number): void {
    for (const address of other.addresses) connection.probe(nowMs, machine.routes.direct(address));
    const side = machine === this.a ? 0 : 1;
    for (const { routes } of this.lanes) if (routes[side].via === "relay") connection.probe(nowMs, routes[side]);
  }

  /** @param towards the side whose packets are lost; both sides' unless told. */
  cut(index: number, towards?: "a" | "b"): void {
    const [endA, endB] = this.lanes[index]?.ends ?? assert.fail();
    if (towards !== "a") {
      endA.up.change({ isCut: true });
      endB.down.change({ isCut: true });
    }
    if (towards !== "b") {
      endB.up.change({ isCut: true });
      endA.down.change({ isCut: true });
    }
  }

  mend(index: number): void {
    for (const end of this.lanes[index]?.ends ?? []) {
      end.up.change({ isCut: false });
      end.down.change({ isCut: false });
    }
  }

  /** @returns A's side of a stream on which A sends this much, and then FIN. */
  upload(lengthBytes: number): StreamRecord {
    return this.hostA.input((nowMs) => {
      const record = this.a.open(nowMs, this.connection);
      this.a.send(nowMs, record, lengthBytes);
      return record;
    });
  }

  /** The other side's record of a stream, once it has heard of it. */
  twin(record: StreamRecord): StreamRecord | undefined {
    const others = this.a.records.has(record.stream) ? this.b.records : this.a.records;
    for (const other of others.values()) if (other.stream.id === record.stream.id) return other;
    return undefined;
  }
}

function linkOf(link: Partial<LinkSettings> | undefined): { link?: Partial<LinkSettings> } {
  return link === undefined ? {} : { link };
}
