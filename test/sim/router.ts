// A router between an inner and an outer network. What it does to packets is its translator's business: a NAT, or nothing at all.

import type { SocketAddress } from "../../src/base/address.ts";
import { assert } from "../../src/base/assert.ts";
import { Host } from "./host.ts";
import type { LinkSettings, PacketSink } from "./link.ts";
import { Nat } from "./nat.ts";
import { Attachment, type Network } from "./network.ts";
import type { Packet } from "./packet.ts";
import type { Place } from "./place.ts";
import type { Translator } from "./translator.ts";
import type { World } from "./world.ts";

export class Router {
  readonly name: string;
  readonly translator: Translator;
  /** The foot in the outer network; its links are where a home's rate and delay belong. */
  readonly wan: Attachment;
  readonly inner: Network;
  private readonly lan: Attachment;
  private readonly world: World;
  private externalIpId: number;
  private externalIp: string;
  /** The packet that `isBlocked` is asked about; a field, so that no closure is made a packet. */
  private judged: Packet | undefined;
  private readonly isBlocked: (inside: Place) => boolean;

  constructor(
    world: World,
    name: string,
    inner: Network,
    outer: Network,
    externalIp: string,
    translator: Translator,
    up: Partial<LinkSettings>,
    down: Partial<LinkSettings>,
  ) {
    this.world = world;
    this.name = name;
    this.translator = translator;
    this.inner = inner;
    this.externalIp = externalIp;
    this.externalIpId = world.book.ipId(externalIp);
    const outside: PacketSink = { receive: (packet) => this.receiveFromOutside(packet) };
    const inside: PacketSink = { receive: (packet) => this.receiveFromInside(packet) };
    this.wan = new Attachment(outer, `${name} wan`, outside, up, down);
    outer.assign(this.externalIpId, this.wan);
    this.lan = new Attachment(inner, `${name} lan`, inside, {}, {});
    inner.gateway = this.lan;
    this.isBlocked = (place) => {
      const node = inner.attachmentOf(place.ipId)?.node;
      return node instanceof Host && this.world.firewall.drops(this.judged as Packet, node);
    };
  }

  get ip(): string {
    return this.externalIp;
  }

  /** Forgets every mapping, as when the power was gone. */
  reboot(): void {
    this.translator.reboot(this.externalIp);
  }

  /** The provider gives the router another address; mappings do not survive it. */
  changeAddress(ip: string): void {
    this.wan.network.withdraw(this.externalIpId, this.wan);
    this.externalIp = ip;
    this.externalIpId = this.world.book.ipId(ip);
    this.wan.network.assign(this.externalIpId, this.wan);
    this.reboot();
  }

  /** Lets the outer network send packets for an inside address here: for a router that does not translate. */
  announce(ip: string): void {
    this.wan.network.assign(this.world.book.ipId(ip), this.wan);
  }

  /** Opens a port for an inside socket as PCP or UPnP would: for everybody, for ever. @returns the external address. */
  mapPort(inside: SocketAddress, externalPort: number): SocketAddress {
    assert(this.translator instanceof Nat, `${this.name} is no NAT that maps ports`);
    return this.translator.mapPort(this.world.book.of(inside), externalPort).address;
  }

  private receiveFromInside(packet: Packet): void {
    const isHairpin = packet.destination.ipId === this.externalIpId;
    if (isHairpin && !this.translator.hairpin) {
      this.world.drop(packet, this.name, "no hairpin");
      return;
    }
    // As on Linux, before anything is remembered of the packet.
    const reason = packet.passRouters(1) ? this.translator.outbound(this.world.nowMs, packet) : "hops are used up";
    if (reason !== undefined) {
      this.world.drop(packet, this.name, reason);
      return;
    }
    if (isHairpin) this.receiveFromOutside(packet);
    else this.wan.up.receive(packet);
  }

  private receiveFromOutside(packet: Packet): void {
    this.judged = packet;
    const reason = this.translator.inbound(this.world.nowMs, packet, this.isBlocked);
    if (reason !== undefined) {
      this.world.drop(packet, this.name, reason);
      return;
    }
    if (packet.passRouters(1)) this.lan.up.receive(packet);
    else this.world.drop(packet, this.name, "hops are used up");
  }
}
