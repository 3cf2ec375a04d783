// The UDP sockets of a host: the main one, and further ones that a driver opens for its machine, each known by its carrier.
// A socket is open on every address of the host, or bound to one of them, as those of a STUN server by RFC 5780 are.

import { assert } from "../../src/base/assert.ts";
import { type Carrier, MAIN_CARRIER } from "../../src/base/route.ts";
import type { NetworkInterface, NetworkInterfaces } from "./network-interfaces.ts";
import type { AddressBook, Place } from "./place.ts";

interface FurtherSocket {
  readonly port: number;
  /** The one address that it is bound to. */
  readonly bound: Place | undefined;
}

export class UdpSockets {
  mainPort: number;
  private readonly book: AddressBook;
  private readonly interfaces: NetworkInterfaces;
  private readonly further = new Map<Carrier, FurtherSocket>();
  private readonly byPort = new Map<number, Carrier>();
  private readonly byPlace = new Map<number, Carrier>();

  constructor(mainPort: number, book: AddressBook, interfaces: NetworkInterfaces) {
    this.mainPort = mainPort;
    this.book = book;
    this.interfaces = interfaces;
  }

  open(carrier: Carrier, port: number, ip: string | undefined): void {
    assert(carrier !== MAIN_CARRIER && !this.further.has(carrier), `carrier ${carrier} is open`);
    const bound = ip === undefined ? undefined : this.book.place(ip, port);
    const isTaken = bound === undefined ? port === this.mainPort || this.byPort.has(port) : this.byPlace.has(bound.id);
    assert(!isTaken, `port ${port} is in use`);
    this.further.set(carrier, { port, bound });
    if (bound === undefined) this.byPort.set(port, carrier);
    else this.byPlace.set(bound.id, carrier);
  }

  close(carrier: Carrier): void {
    const socket = this.further.get(carrier);
    assert(socket !== undefined, `carrier ${carrier} is not open`);
    this.further.delete(carrier);
    if (socket.bound === undefined) this.byPort.delete(socket.port);
    else this.byPlace.delete(socket.bound.id);
  }

  /** @returns the socket that a datagram to this address reaches; one that is bound to the address goes first. */
  carrierAt(destination: Place): Carrier | undefined {
    const { port } = destination.address;
    if (this.further.size === 0) return port === this.mainPort ? MAIN_CARRIER : undefined;
    return this.byPlace.get(destination.id) ?? (port === this.mainPort ? MAIN_CARRIER : this.byPort.get(port));
  }

  /** @returns by which interface a socket's datagram leaves, with the address that it leaves from; undefined where it cannot. */
  exit(carrier: Carrier, destination: Place): NetworkInterface | undefined {
    if (carrier === MAIN_CARRIER) return this.interfaces.towards(destination);
    const socket = this.further.get(carrier);
    if (socket === undefined) return undefined;
    const { bound, port } = socket;
    const foot = bound === undefined ? this.interfaces.towards(destination) : this.interfaces.having(bound.ipId);
    if (foot === undefined) return undefined;
    return { attachment: foot.attachment, source: this.book.place(foot.source.address.host, port) };
  }
}
