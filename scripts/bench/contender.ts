// What is compared: a way from a TCP port at the client's place to the service's, set up in the lab and ready to be loaded.

import type { Lab } from "../../test/lab/lab.ts";
import type { LabNode } from "../../test/lab/topology.ts";

export type BenchLab = Lab<"A" | "B">;

/** The port of the load server on the service's host, in every lab. */
export const SERVICE_PORT = 3000;
export const READY_TIMEOUT_MS = 15_000;

/** A process whose processor time and memory are the contender's. */
export interface ContenderProcess {
  /** "connect", "expose", "rendezvous". */
  readonly role: string;
  readonly pid: number;
}

export interface Contender {
  readonly name: string;
  readonly lab: BenchLab;
  /** Where the load client runs, and the address that it connects to. */
  readonly client: LabNode;
  readonly host: string;
  readonly port: number;
  readonly processes: readonly ContenderProcess[];
  /** What it is, with its version, and what a reader of its figures has to know. */
  readonly description: string;
  /** The ways of ours that it is compared with; the direct one where absent. */
  readonly comparedWith?: readonly ("tunnel" | "tunnel, relayed")[];
  /** Told at the end whether it still is what it is called; a complaint or undefined. */
  readonly doubt?: () => string | undefined;
}

/** A contender that could not be set up, and why. */
export interface LeftOut {
  readonly name: string;
  readonly reason: string;
}
