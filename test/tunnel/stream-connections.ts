// The streams of a deployment: what its agents ask for is opened between them and the rendezvous, or between the two, as far as the
// world lets TCP through.

import { formatSocketAddress, type SocketAddress } from "../../src/base/address.ts";
import { STREAM_CARRIER_MIN } from "../../src/base/limits.ts";
import type { Carrier } from "../../src/base/route.ts";
import type { CarrierGoal, OpenedCarrier, PeerGoal } from "../../src/tunnel/carrier-goal.ts";
import { StreamLink, type StreamLinkSettings } from "../sim/stream-link.ts";
import type { AgentHost, Deployment } from "./deployment.ts";

/** How long two agents try to connect to each other. */
const MEETING_MS = 6_000;

export class StreamConnections {
  /** Whether new connections to the rendezvous come about. */
  opens = true;
  /** Whether connections between the two agents come about, as they do between routers that keep ports. */
  meets = false;
  /** Whether a WebSocket is opened beside each TCP connection, a little later. */
  withWebsockets = false;
  /** How often streams were asked for. */
  asked = 0;
  readonly links = new Set<StreamLink>();
  private readonly deployment: Deployment;
  private readonly settings: Partial<StreamLinkSettings>;
  private readonly byCarrier = new Map<Carrier, StreamLink>();
  private readonly meetings: { readonly side: AgentHost; readonly goal: PeerGoal; readonly atMs: number }[] = [];
  private next = STREAM_CARRIER_MIN;

  constructor(deployment: Deployment, settings: Partial<StreamLinkSettings> = {}) {
    this.deployment = deployment;
    this.settings = settings;
    for (const side of [deployment.device, deployment.laptop]) {
      side.onCarrier = (event) => {
        if (event.type === "carrier-unwanted") this.byCarrier.get(event.carrier)?.close();
        else this.onWanted(side, event.goal);
      };
    }
    deployment.onServerEvent = (event) => {
      if (event.type === "carrier-unwanted") this.byCarrier.get(event.carrier)?.close();
    };
  }

  private get delayMs(): number {
    return this.settings.delayMs ?? 10;
  }

  /** The rendezvous was started anew: its connections are gone. */
  breakAll(): void {
    for (const link of [...this.links]) link.close();
  }

  private onWanted(side: AgentHost, goal: CarrierGoal): void {
    const { world } = this.deployment;
    this.asked++;
    if (goal.to === "peer") {
      this.onMeeting(side, goal);
      return;
    }
    // One round trip for TCP, another one for the WebSocket on it.
    world.after(2 * this.delayMs, () => this.openToRendezvous(side, goal, "tcp"));
    if (this.withWebsockets) world.after(4 * this.delayMs, () => this.openToRendezvous(side, goal, "websocket"));
  }

  private openToRendezvous(side: AgentHost, goal: CarrierGoal, kind: OpenedCarrier["kind"]): void {
    const { nats, server } = this.deployment;
    if (!this.opens || nats.r.machine !== server) return;
    const [ours, theirs] = [this.next++, this.next++];
    this.link(ours, theirs, [
      {
        host: side.host,
        carrier: ours,
        remote: nats.r.address,
        onClosed: (nowMs) => side.agent.onCarrierClosed(nowMs, ours),
      },
      {
        host: nats.r,
        carrier: theirs,
        remote: this.publicAddress(side),
        onClosed: (nowMs) => server.handleCarrierClosed(nowMs, theirs),
      },
    ]);
    nats.r.input((nowMs) => server.handleCarrierOpened(nowMs, theirs, this.publicAddress(side)));
    const opened = { carrier: ours, remote: nats.r.address, kind, byProxy: false } as const;
    side.host.input((nowMs) => side.agent.onCarrierOpened(nowMs, goal, opened));
  }

  /** Two that want to connect to each other's address at the same time meet. */
  private onMeeting(side: AgentHost, goal: PeerGoal): void {
    const { world, device, laptop } = this.deployment;
    const other = side === device ? laptop : device;
    this.meetings.push({ side, goal, atMs: world.nowMs });
    const partner = this.meetings.find((one) => one.side === other && world.nowMs - one.atMs < MEETING_MS);
    const isAimed = formatSocketAddress(goal.remote) === formatSocketAddress(this.publicAddress(other));
    if (partner === undefined || !this.meets || !isAimed) return;
    this.meetings.length = 0;
    world.after(2 * this.delayMs, () => {
      const carriers = [this.next++, this.next++] as const;
      const sides = [side, other] as const;
      const goals = [goal, partner.goal] as const;
      const remotes = [this.publicAddress(other), this.publicAddress(side)] as const;
      const end = (i: 0 | 1) => ({
        host: sides[i].host,
        carrier: carriers[i],
        remote: remotes[i],
        onClosed: (nowMs: number) => sides[i].agent.onCarrierClosed(nowMs, carriers[i]),
      });
      this.link(...carriers, [end(0), end(1)]);
      for (const i of [0, 1] as const) {
        const opened = { carrier: carriers[i], remote: remotes[i], kind: "tcp", byProxy: false } as const;
        sides[i].host.input((nowMs) => sides[i].agent.onCarrierOpened(nowMs, goals[i], opened));
      }
    });
  }

  private link(a: Carrier, b: Carrier, ends: ConstructorParameters<typeof StreamLink>[1]): StreamLink {
    const forget = (): void => {
      this.links.delete(link);
    };
    const [first, second] = ends;
    const link: StreamLink = new StreamLink(
      this.deployment.world,
      [
        {
          ...first,
          onClosed(nowMs) {
            forget();
            first.onClosed(nowMs);
          },
        },
        second,
      ],
      this.settings,
    );
    this.links.add(link);
    this.byCarrier.set(a, link);
    this.byCarrier.set(b, link);
    return link;
  }

  /** The address that the rendezvous sees a side's TCP connections come from; its router keeps the port. */
  private publicAddress(side: AgentHost): SocketAddress {
    const { nats, device } = this.deployment;
    const site = side === device ? nats.siteA : nats.siteB;
    return { family: 4, host: site.outermost?.ip ?? side.host.address.host, port: side === device ? 40_001 : 40_002 };
  }
}
