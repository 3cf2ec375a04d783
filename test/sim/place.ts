// Addresses inside the simulation. A place is an interned socket address with small integer ids, so that networks
// and NATs look things up by numbers and a packet holds two references instead of two strings.

import { formatSocketAddress, type SocketAddress, socketAddress } from "../../src/base/address.ts";
import { assert } from "../../src/base/assert.ts";

export class Place {
  /** Counts places from 1 in the order in which they came up. */
  readonly id: number;
  /** Counts IP addresses from 1 in the order in which they came up. */
  readonly ipId: number;
  readonly address: SocketAddress;

  constructor(id: number, ipId: number, address: SocketAddress) {
    this.id = id;
    this.ipId = ipId;
    this.address = address;
  }

  toString(): string {
    return formatSocketAddress(this.address);
  }
}

const IDS_MAX = 2 ** 26;

/** @returns one number for an ordered pair of ids. */
export function pairKey(first: number, second: number): number {
  return first * IDS_MAX + second;
}

export class AddressBook {
  private readonly ipIds = new Map<string, number>();
  private readonly places = new Map<number, Place>();
  private readonly known = new WeakMap<SocketAddress, Place>();

  /** @param ip in any valid text form. */
  ipId(ip: string): number {
    const id = this.ipIds.get(ip);
    if (id !== undefined) return id;
    const canonical = socketAddress(ip, 1)?.host;
    assert(canonical !== undefined, `${ip} is not an IP address`);
    const canonicalId = this.ipIds.get(canonical) ?? this.ipIds.size + 1;
    this.ipIds.set(canonical, canonicalId);
    // Another spelling of a known address shares its id; sizes only grow, so that an id is never given out twice.
    this.ipIds.set(ip, canonicalId);
    return canonicalId;
  }

  place(ip: string, port: number): Place {
    const ipId = this.ipId(ip);
    const key = ipId * 0x1_0000 + port;
    const known = this.places.get(key);
    if (known !== undefined) return known;
    const address = socketAddress(ip, port);
    assert(address !== undefined, `${ip} port ${port} is not a socket address`);
    const place = new Place(this.places.size + 1, ipId, Object.freeze(address));
    assert(place.id < IDS_MAX, "too many addresses in one simulation");
    this.places.set(key, place);
    return place;
  }

  of(address: SocketAddress): Place {
    let place = this.known.get(address);
    if (place === undefined) {
      place = this.place(address.host, address.port);
      this.known.set(address, place);
    }
    return place;
  }
}
