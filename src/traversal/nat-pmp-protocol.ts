// A mapping by NAT-PMP (RFC 6886 §3): first the router's address outside, then the port. Both are asked again at each renewal,
// because the address may have changed.

import type { SocketAddress } from "../base/address.ts";
import { PORT_MAPPING_LEASE_SECONDS } from "../base/limits.ts";
import {
  decodeNatPmpResponse,
  encodeNatPmpAddressRequest,
  encodeNatPmpMap,
  type NatPmpResponse,
  natPmpOpcode,
  natPmpResult,
} from "../wire/nat-pmp.ts";
import { isPcpVersionRefused } from "../wire/pcp.ts";
import type { MappingAnswer, MappingProtocol, MappingRequest } from "./mapping-protocol.ts";

const refusals = new Map<number, string>([
  [natPmpResult.notAuthorized, "it does not allow it"],
  [natPmpResult.networkFailure, "it has no connection itself"],
  [natPmpResult.outOfResources, "it has no room for it"],
  [natPmpResult.unsupportedOpcode, "it maps no UDP ports"],
]);

export class NatPmpProtocol implements MappingProtocol {
  readonly name = "NAT-PMP";
  private readonly internalPort: number;
  /** The router's address outside, once it has told it in the course of what is being asked. */
  private externalHost: string | undefined;

  constructor(internalPort: number) {
    this.internalPort = internalPort;
  }

  get needsAnotherRequest(): boolean {
    return this.externalHost !== undefined;
  }

  begin(): void {
    this.externalHost = undefined;
  }

  request(what: MappingRequest, current: SocketAddress | undefined): Uint8Array {
    const { internalPort } = this;
    if (what === "remove") return encodeNatPmpMap({ internalPort, externalPort: 0, lifetimeSeconds: 0 });
    if (what === "check" || this.externalHost === undefined) return encodeNatPmpAddressRequest();
    const externalPort = current?.port ?? internalPort;
    return encodeNatPmpMap({ internalPort, externalPort, lifetimeSeconds: PORT_MAPPING_LEASE_SECONDS });
  }

  read(bytes: Uint8Array): MappingAnswer | undefined {
    if (isPcpVersionRefused(bytes)) return { type: "other-version" };
    const response = decodeNatPmpResponse(bytes);
    if (response === undefined) return undefined;
    return response.opcode === natPmpOpcode.address ? this.readAddress(response) : this.readMapping(response);
  }

  private readAddress({ result, epochSeconds, address }: NatPmpResponse): MappingAnswer {
    if (address === undefined) return { type: "refused", message: reasonOf(result), epochSeconds };
    this.externalHost = address;
    return { type: "alive", externalHost: address, epochSeconds };
  }

  private readMapping({ opcode, result, epochSeconds, mapping }: NatPmpResponse): MappingAnswer | undefined {
    if (opcode !== natPmpOpcode.mapUdp) return undefined;
    if (mapping === undefined) return { type: "refused", message: reasonOf(result), epochSeconds };
    if (mapping.internalPort !== this.internalPort) return undefined;
    const { externalHost } = this;
    const { externalPort, lifetimeSeconds } = mapping;
    this.externalHost = undefined;
    // What is given back needs no address; otherwise the answer is to a request that nobody made.
    if (externalHost === undefined && lifetimeSeconds > 0) return undefined;
    return { type: "mapped", externalHost: externalHost ?? "0.0.0.0", externalPort, lifetimeSeconds, epochSeconds };
  }
}

const reasonOf = (result: number): string => refusals.get(result) ?? `its reason is NAT-PMP's number ${result}`;
