// A network: hosts and routers, each attached by a pair of links and an IP address, and perhaps a gateway to elsewhere.
// It forwards by destination address and takes no time itself; what takes time is links.

import { Link, type LinkSettings, type PacketSink } from "./link.ts";
import type { Packet } from "./packet.ts";
import type { World } from "./world.ts";

/** More networks than any topology has between two hosts: a packet that passed them goes round in circles. */
const HOPS_MAX = 16;

/** One foot in a network. */
export class Attachment implements PacketSink {
  readonly network: Network;
  /** Whatever is attached: it takes what comes down. */
  readonly node: PacketSink;
  /** From the node into the network. */
  readonly up: Link;
  /** From the network to the node. */
  readonly down: Link;

  constructor(
    network: Network,
    label: string,
    node: PacketSink,
    up: Partial<LinkSettings>,
    down: Partial<LinkSettings>,
  ) {
    this.network = network;
    this.node = node;
    this.up = new Link(network.world, `${label} up`, this, up);
    this.down = new Link(network.world, `${label} down`, node, down);
  }

  /** What came up the link goes on through the network. */
  receive(packet: Packet): void {
    this.network.forward(packet, this);
  }
}

export class Network {
  readonly world: World;
  readonly name: string;
  /** How many routers a packet passes between any two places here. They forward, and drop what has used up its hops. */
  routersBetween = 0;
  /** Where packets go whose destination is not here. */
  gateway: Attachment | undefined;
  private readonly attachments = new Map<number, Attachment>();

  constructor(world: World, name: string) {
    this.world = world;
    this.name = name;
  }

  /** Lets packets to an IP address go down an attachment. */
  assign(ipId: number, attachment: Attachment): void {
    this.attachments.set(ipId, attachment);
  }

  /** Takes an address away, if it is this attachment's. */
  withdraw(ipId: number, attachment: Attachment): void {
    if (this.attachments.get(ipId) === attachment) this.attachments.delete(ipId);
  }

  /** @returns who has this address in this network, if anybody. */
  attachmentOf(ipId: number): Attachment | undefined {
    return this.attachments.get(ipId);
  }

  forward(packet: Packet, from: Attachment): void {
    // A host may send to itself, but a gateway gets nothing back that came from it.
    const elsewhere = this.gateway === from ? undefined : this.gateway;
    const to = this.attachments.get(packet.destination.ipId) ?? elsewhere;
    if (to === undefined) this.world.drop(packet, this.name, "nobody has this address");
    else if (!packet.passRouters(this.routersBetween)) this.world.drop(packet, this.name, "hops are used up");
    else if (++packet.hops > HOPS_MAX) this.world.drop(packet, this.name, "too many hops");
    else to.down.receive(packet);
  }
}
