// In which order a NAT gives its ports (RFC 4787 §4.2), where each mapping gets another one: from the ports of some mappings that were
// made one after the other. Others behind the same NAT take ports in between, and packets overtake each other, so the steps
// need not be equal; they have to lead upwards and be small. What comes next is then a matter of a few ports.

import type { SocketAddress } from "../base/address.ts";
import { PORT_ALLOCATION_SAMPLES_MIN, PORT_STEP_MAX, SPRAY_PORT_MIN } from "../base/limits.ts";

const PORTS = 65_536;

/**
 * @param ports of mappings, that of the first mapping in front; the others may have been made in any order.
 * @returns by how much each port is higher than the one before; undefined where there is no such order, or too little was seen.
 */
export function portStride(ports: readonly number[]): number | undefined {
  const sorted = [...new Set(ports)].sort((a, b) => a - b);
  if (sorted.length < PORT_ALLOCATION_SAMPLES_MIN || sorted[0] !== ports[0]) return undefined;
  const steps = sorted.slice(1).map((port, i) => port - (sorted[i] as number));
  return Math.max(...steps) > PORT_STEP_MAX ? undefined : steps.reduce(greatestCommonDivisor);
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

/** @returns the address of the n-th mapping after `newest`, from 1, if nobody else makes any. */
export function predictedAddress(newest: SocketAddress, stride: number, n: number): SocketAddress {
  const port = newest.port + stride * n;
  return { ...newest, port: port < PORTS ? port : SPRAY_PORT_MIN + (port - PORTS) };
}
