// The network interfaces of a host: which networks it is in, at which addresses, and by which of them a packet leaves.

import { assert } from "../../src/base/assert.ts";
import type { Host } from "./host.ts";
import type { LinkSettings } from "./link.ts";
import { Attachment, type Network } from "./network.ts";
import type { AddressBook, Place } from "./place.ts";

export interface NetworkInterface {
  readonly attachment: Attachment;
  /** The socket's address on this interface. */
  readonly source: Place;
}

export class NetworkInterfaces {
  private readonly host: Host;
  private readonly book: AddressBook;
  private readonly list: NetworkInterface[] = [];

  constructor(host: Host, book: AddressBook) {
    this.host = host;
    this.book = book;
  }

  get all(): readonly NetworkInterface[] {
    return this.list;
  }

  get first(): NetworkInterface {
    const first = this.list[0];
    assert(first !== undefined, `${this.host.name} is in no network`);
    return first;
  }

  join(network: Network, ip: string, up: Partial<LinkSettings>, down: Partial<LinkSettings>): Attachment {
    const { name, port } = this.host;
    const attachment = new Attachment(network, this.list.length === 0 ? name : `${name}/${ip}`, this.host, up, down);
    this.put(this.list.length, attachment, this.book.place(ip, port));
    return attachment;
  }

  leave(): void {
    for (const { attachment, source } of this.list.splice(0)) attachment.network.withdraw(source.ipId, attachment);
  }

  changeAddress(ip: string): void {
    const { attachment, source } = this.first;
    attachment.network.withdraw(source.ipId, attachment);
    this.put(0, attachment, this.book.place(ip, source.address.port));
  }

  changePort(port: number): void {
    for (const [i, { attachment, source }] of this.list.entries()) {
      this.put(i, attachment, this.book.place(source.address.host, port));
    }
  }

  /** @returns the interface whose network has the address, else the first of its family. */
  towards(destination: Place): NetworkInterface | undefined {
    let elsewhere: NetworkInterface | undefined;
    for (const foot of this.list) {
      if (foot.source.address.family !== destination.address.family) continue;
      if (foot.attachment.network.attachmentOf(destination.ipId) !== undefined) return foot;
      elsewhere ??= foot;
    }
    return elsewhere;
  }

  /** @returns the interface with this IP address. */
  having(ipId: number): NetworkInterface | undefined {
    return this.list.find(({ source }) => source.ipId === ipId);
  }

  private put(index: number, attachment: Attachment, source: Place): void {
    this.list[index] = { attachment, source };
    attachment.network.assign(source.ipId, attachment);
  }
}
