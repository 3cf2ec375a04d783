// What a process that runs an agent has to say of it: what its user chose, and what its machine can.

import { totalmem } from "node:os";
import {
  BUFFER_MEMORY_BYTES,
  BUFFER_MEMORY_BYTES_MIN,
  BUFFER_MEMORY_PART,
  TIMER_FINE_MS,
  TIMER_MS,
} from "../base/limits.ts";
import { TRANSMIT_BYTES_MAX } from "../base/transmit.ts";
import type { DatagramSocket } from "../io/datagram-socket.ts";
import type { FineTimer } from "../io/fine-timer.ts";
import { type CongestionName, congestionControllers } from "../transport/congestion-choice.ts";
import type { AgentSettings } from "../tunnel/agent-config.ts";
import type { TestSettings } from "./test-setting.ts";

/** Of the command line. */
export interface AgentChoices {
  /** Whether a direct path may be looked for with many ports or sockets. */
  readonly spray: boolean;
  readonly congestion: CongestionName;
  /** Connections end after so long without a packet from the peer. */
  readonly resumeTimeoutMs: number;
}

export function agentSettings(
  { spray, congestion, resumeTimeoutMs }: AgentChoices,
  { directAfterMs }: TestSettings,
  socket: DatagramSocket,
  fineTimer: FineTimer | undefined,
): Partial<AgentSettings> {
  return {
    ...(directAfterMs === undefined ? {} : { directAfterMs }),
    spray,
    transport: {
      congestion: congestionControllers[congestion],
      idleTimeoutMs: resumeTimeoutMs,
      memoryBytes: bufferMemoryBytes(Math.min(totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY)),
      timerMs: fineTimer === undefined ? TIMER_MS : TIMER_FINE_MS,
      // A socket that lets the kernel cut datagrams up would find any size to pass.
      ...(socket.neverFragments ? { datagramBytesMax: TRANSMIT_BYTES_MAX } : {}),
    },
  };
}

/** @param machineBytes the memory of the machine, or of the container where that is less. @returns what streams may hold in each direction. */
export function bufferMemoryBytes(machineBytes: number): number {
  return Math.min(BUFFER_MEMORY_BYTES, Math.max(BUFFER_MEMORY_BYTES_MIN, machineBytes / BUFFER_MEMORY_PART));
}
