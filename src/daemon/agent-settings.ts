// What a process that runs an agent has to say of it: what its user chose, and what its machine can.

import { TIMER_FINE_MS, TIMER_MS } from "../base/limits.ts";
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
      timerMs: fineTimer === undefined ? TIMER_MS : TIMER_FINE_MS,
      // A socket that lets the kernel cut datagrams up would find any size to pass.
      ...(socket.neverFragments ? { datagramBytesMax: TRANSMIT_BYTES_MAX } : {}),
    },
  };
}
