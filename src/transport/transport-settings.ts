// What a program may choose about its connections; the defaults are in base/limits.ts with their reasons.

import {
  BUFFER_MEMORY_BYTES,
  CONNECTION_WINDOW_BYTES,
  CONNECTION_WINDOW_BYTES_MAX,
  DATAGRAM_BYTES_ETHERNET,
  DATAGRAM_BYTES_MIN,
  IDLE_TIMEOUT_MS,
  KEEPALIVE_MS,
  KEY_UPDATE_FIRST_PACKETS,
  KEY_UPDATE_PACKETS,
  STREAM_WINDOW_BYTES,
  STREAM_WINDOW_BYTES_MAX,
  STREAMS_MAX,
  TIMER_MS,
} from "../base/limits.ts";
import { CONGESTION_DEFAULT, congestionControllers } from "./congestion-choice.ts";
import type { CongestionControllerFactory } from "./congestion-controller.ts";
import type { KeyUpdateSettings } from "./packet-keys.ts";
import { type PathSelector, preferDirect } from "./path-choice.ts";

export interface TransportSettings {
  /** What the peer may send on the whole connection at first, and at most. */
  readonly initialDataBytes: number;
  readonly dataBytesMax: number;
  /** The same for each stream. */
  readonly initialStreamDataBytes: number;
  readonly streamDataBytesMax: number;
  /** What the streams of all connections may hold in each direction, beyond what each connection has at first. */
  readonly memoryBytes: number;
  /** Streams of the peer that may be open at once. */
  readonly streamsMax: number;
  /** A connection ends after this long without a packet from the peer. */
  readonly idleTimeoutMs: number;
  /** An idle path that must stay open gets a packet this often. */
  readonly keepaliveMs: number;
  /** UDP payload of a path before any larger one has proved to pass. */
  readonly datagramBytes: number;
  /** The most that is tried; a socket that cannot forbid fragmentation must not go beyond Ethernet's. */
  readonly datagramBytesMax: number;
  /** When keys are replaced; tests do it often. */
  readonly keyUpdate: KeyUpdateSettings;
  readonly congestion: CongestionControllerFactory;
  /** What the driver's timers are good to, in ms. */
  readonly timerMs: number;
  /** Which path carries data. */
  readonly selectPath: PathSelector;
}

export const defaultSettings: TransportSettings = {
  initialDataBytes: CONNECTION_WINDOW_BYTES,
  dataBytesMax: CONNECTION_WINDOW_BYTES_MAX,
  initialStreamDataBytes: STREAM_WINDOW_BYTES,
  streamDataBytesMax: STREAM_WINDOW_BYTES_MAX,
  memoryBytes: BUFFER_MEMORY_BYTES,
  streamsMax: STREAMS_MAX,
  idleTimeoutMs: IDLE_TIMEOUT_MS,
  keepaliveMs: KEEPALIVE_MS,
  datagramBytes: DATAGRAM_BYTES_MIN,
  datagramBytesMax: DATAGRAM_BYTES_ETHERNET,
  keyUpdate: { firstPackets: KEY_UPDATE_FIRST_PACKETS, packets: KEY_UPDATE_PACKETS },
  congestion: congestionControllers[CONGESTION_DEFAULT],
  timerMs: TIMER_MS,
  selectPath: preferDirect,
};
