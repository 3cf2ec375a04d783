// A mapping by PCP (RFC 6887 §11): one request is enough, and its nonce keeps others from taking the mapping or answering for the router.

import type { SocketAddress } from "../base/address.ts";
import { PORT_MAPPING_LEASE_SECONDS } from "../base/limits.ts";
import { type Random, randomBytes } from "../base/random.ts";
import {
  decodePcpResponse,
  encodePcpAnnounce,
  encodePcpMap,
  isPcpVersionRefused,
  PCP_NONCE_BYTES,
  type PcpMapping,
  pcpOpcode,
  pcpResult,
} from "../wire/pcp.ts";
import type { MappingAnswer, MappingProtocol, MappingRequest } from "./mapping-protocol.ts";

const refusals = new Map<number, string>([
  [pcpResult.notAuthorized, "it does not allow it"],
  [pcpResult.networkFailure, "it has no connection itself"],
  [pcpResult.noResources, "it has no room for it"],
  [pcpResult.unsupportedProtocol, "it maps no UDP ports"],
  [pcpResult.quotaExceeded, "this machine has too many mappings already"],
  [pcpResult.cannotProvideExternal, "the port outside is not free"],
  [pcpResult.addressMismatch, "there is another NAT between it and this machine"],
]);

export class PcpProtocol implements MappingProtocol {
  readonly name = "PCP";
  readonly needsAnotherRequest = false;
  private readonly internal: SocketAddress;
  private readonly nonce: Uint8Array;

  /** @param internal the address that requests are sent from, with the port to be mapped. */
  constructor(internal: SocketAddress, random: Random) {
    this.internal = internal;
    this.nonce = randomBytes(random, PCP_NONCE_BYTES);
  }

  begin(): void {}

  request(what: MappingRequest, current: SocketAddress | undefined): Uint8Array {
    if (what === "check") return encodePcpAnnounce(this.internal.host);
    const { host, port, family } = this.internal;
    const isRemoval = what === "remove";
    const mapping: PcpMapping = {
      nonce: this.nonce,
      internalPort: port,
      externalPort: isRemoval ? 0 : (current?.port ?? port),
      externalHost: (isRemoval ? undefined : current?.host) ?? (family === 4 ? "0.0.0.0" : "::"),
    };
    return encodePcpMap(host, mapping, isRemoval ? 0 : PORT_MAPPING_LEASE_SECONDS);
  }

  read(bytes: Uint8Array): MappingAnswer | undefined {
    if (isPcpVersionRefused(bytes)) return { type: "other-version" };
    const response = decodePcpResponse(bytes);
    if (response === undefined) return undefined;
    const { opcode, result, mapping, lifetimeSeconds, epochSeconds } = response;
    if (opcode === pcpOpcode.announce) return { type: "alive", externalHost: undefined, epochSeconds };
    if (opcode !== pcpOpcode.map) return undefined;
    if (mapping === undefined || !this.isOurs(mapping)) return undefined;
    if (result !== pcpResult.success) {
      return { type: "refused", message: refusals.get(result) ?? `its reason is PCP's number ${result}`, epochSeconds };
    }
    const { externalHost, externalPort } = mapping;
    return { type: "mapped", externalHost, externalPort, lifetimeSeconds, epochSeconds };
  }

  private isOurs(mapping: PcpMapping): boolean {
    return mapping.internalPort === this.internal.port && this.nonce.every((byte, i) => byte === mapping.nonce[i]);
  }
}
