// What really goes over the wire: a tcpdump in a node of the lab, and the reading of what it wrote
// (https://www.tcpdump.org/manpages/pcap-savefile.5.html), as far as IPv4 in Ethernet frames goes.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { formatIp } from "../../src/base/address.ts";
import type { Lab } from "./lab.ts";
import type { LabProcess } from "./lab-process.ts";
import type { LabNode } from "./topology.ts";

const UDP = 17;
const IPV4 = 0x0800;
const FILE_HEADER_BYTES = 24;
const RECORD_HEADER_BYTES = 16;
const ETHERNET_HEADER_BYTES = 14;

export interface UdpPacket {
  readonly source: string;
  readonly destination: string;
  readonly payload: Uint8Array;
}

export interface CaptureOptions {
  /** The uplink where absent; "lo" for what programs on one host say to each other. */
  readonly device?: string;
  /** A few short packets: only the first 2 KiB of each are kept, and each is written as soon as it is there. */
  readonly isBrief?: boolean;
}

let captures = 0;

export class PacketCapture {
  /** The pcap file; complete when `stop` has resolved. */
  readonly file: string;
  private readonly tcpdump: LabProcess;
  private readonly isBrief: boolean;

  private constructor(file: string, tcpdump: LabProcess, isBrief: boolean) {
    this.file = file;
    this.tcpdump = tcpdump;
    this.isBrief = isBrief;
  }

  /** The promise resolves when packets are being caught. */
  static async start(lab: Lab, node: LabNode, options: CaptureOptions = {}): Promise<PacketCapture> {
    const { device = node.uplink, isBrief = false } = options;
    const file = join(lab.scratch, `${node.name}-${++captures}.pcap`);
    // As root tcpdump would become a user that may not write into the folder of the test.
    const user = process.getuid?.() === 0 ? ["-Z", "root"] : [];
    const length = isBrief ? ["--immediate-mode", "-s", "2048"] : [];
    const tcpdump = lab.spawn(node, [
      "tcpdump",
      ...user,
      "-n",
      "-U",
      "-B",
      "65536",
      ...length,
      "-i",
      device,
      "-w",
      file,
    ]);
    await tcpdump.waitForLine(/listening on/, 10_000);
    return new PacketCapture(file, tcpdump, isBrief);
  }

  /** Ends the capture. @throws where packets were missed, because then silence proves nothing. */
  async stop(): Promise<void> {
    // The kernel hands packets over in blocks, a block that is not full only after a second.
    if (!this.isBrief) await sleep(1100);
    const { stderr } = await this.tcpdump.stop("SIGINT");
    if (!/\b0 packets dropped by kernel/.test(stderr)) throw new Error(`tcpdump missed packets: ${stderr}`);
  }

  /** @returns everything caught, as the bytes of the file. */
  bytes(): Buffer {
    return readFileSync(this.file);
  }

  /** @returns the UDP packets over IPv4; one that the kernel carried as a bundle is one here. */
  udpPackets(): UdpPacket[] {
    const file = this.bytes();
    const packets: UdpPacket[] = [];
    for (let at = FILE_HEADER_BYTES; at < file.length; ) {
      const lengthBytes = file.readUInt32LE(at + 8);
      const frame = file.subarray(at + RECORD_HEADER_BYTES, at + RECORD_HEADER_BYTES + lengthBytes);
      at += RECORD_HEADER_BYTES + lengthBytes;
      const packet = readUdp(frame);
      if (packet !== undefined) packets.push(packet);
    }
    return packets;
  }
}

function readUdp(frame: Buffer): UdpPacket | undefined {
  if (frame.length < ETHERNET_HEADER_BYTES + 28 || frame.readUInt16BE(12) !== IPV4) return undefined;
  const ip = frame.subarray(ETHERNET_HEADER_BYTES);
  if (ip[9] !== UDP) return undefined;
  const udp = ip.subarray(((ip[0] as number) & 0x0f) * 4);
  return {
    source: `${formatIp(ip.subarray(12, 16))}:${udp.readUInt16BE(0)}`,
    destination: `${formatIp(ip.subarray(16, 20))}:${udp.readUInt16BE(2)}`,
    payload: udp.subarray(8),
  };
}
