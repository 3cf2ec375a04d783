// The one timer of a host's driver loop: it fires when the machine asked for it, or a little late as real timers do, and now and
// then too early by the seed, which must change nothing.

import { assert } from "../../src/base/assert.ts";
import type { Machine } from "../../src/base/machine.ts";
import type { Host } from "./host.ts";
import type { SeededRandom } from "./seeded-random.ts";
import { SimulationError } from "./simulation-error.ts";
import type { ClockTarget } from "./virtual-clock.ts";
import type { World } from "./world.ts";

/** Sums of clocks are rounded, by this at the most where they show less than a hundred years: a timer this early is on time. */
export const ROUNDING_MS = 1e-3;
/** How far ahead an early wake-up is drawn where the machine waits for nothing. */
const IDLE_WAKE_UP_MS = 1_000;

/** A second target of the same timer: the early wake-ups. */
class EarlyWakeUp implements ClockTarget {
  readonly label: string;
  isScheduled = false;
  private readonly timer: MachineTimer;

  constructor(label: string, timer: MachineTimer) {
    this.label = label;
    this.timer = timer;
  }

  fire(): void {
    this.isScheduled = false;
    this.timer.wakeEarly();
  }
}

export class MachineTimer implements ClockTarget {
  readonly label: string;
  private readonly world: World;
  private readonly host: Host;
  private readonly random: SeededRandom;
  private readonly early: EarlyWakeUp;
  /** When the event that counts is in the queue, on the world's clock; others that were queued before it are stale. */
  private armedAtMs = Number.POSITIVE_INFINITY;

  constructor(world: World, host: Host) {
    this.world = world;
    this.host = host;
    this.label = `timer of ${host.name}`;
    this.random = world.random.fork(this.label);
    this.early = new EarlyWakeUp(`early wake-up of ${host.name}`, this);
  }

  /** Sees to it that the machine is woken when it wants to be. */
  arm(machine: Machine, hostNowMs: number): void {
    const deadlineMs = machine.pollTimeout();
    assert(!Number.isNaN(deadlineMs), `${this.host.name}: pollTimeout is not a number`);
    if (deadlineMs !== Number.POSITIVE_INFINITY) {
      const waitMs = Math.max(0, deadlineMs - hostNowMs);
      const atMs = this.world.nowMs + waitMs;
      // An event that is queued earlier looks at the deadline again when it fires, so later deadlines cost nothing.
      if (atMs < this.armedAtMs) {
        const { timerLatenessMs } = this.world.options;
        this.armedAtMs = timerLatenessMs > 0 ? atMs + this.random.fraction() * timerLatenessMs : atMs;
        this.world.clock.schedule(this.armedAtMs, this);
      }
    }
    this.armEarly(deadlineMs - hostNowMs);
  }

  fire(): void {
    if (this.world.nowMs !== this.armedAtMs) return;
    this.armedAtMs = Number.POSITIVE_INFINITY;
    const { host } = this;
    const { machine } = host;
    if (machine === undefined || host.isAsleep) return;
    const deadlineMs = machine.pollTimeout();
    if (deadlineMs > host.nowMs + ROUNDING_MS) {
      this.arm(machine, host.nowMs);
      return;
    }
    machine.handleTimeout(host.tickTo(deadlineMs));
    host.drain();
  }

  /** @throws SimulationError when the machine does anything though nothing is due. */
  wakeEarly(): void {
    const { host } = this;
    const { machine } = host;
    if (machine === undefined || host.isAsleep) return;
    const deadlineMs = machine.pollTimeout();
    const nowMs = host.tick();
    if (deadlineMs <= nowMs + ROUNDING_MS) return;
    machine.handleTimeout(nowMs);
    const afterMs = machine.pollTimeout();
    const isMoved = afterMs !== deadlineMs && Math.abs(afterMs - deadlineMs) > ROUNDING_MS;
    const isSending = machine.pollTransmit(nowMs, this.world.transmit);
    if (isMoved || isSending) {
      throw new SimulationError(
        `${host.name}: an early wake-up at ${nowMs} ms, due at ${deadlineMs} ms, ` +
          (isSending ? "made it send" : `moved the timer to ${afterMs} ms`),
      );
    }
  }

  private armEarly(waitMs: number): void {
    const { earlyWakeUpProbability } = this.world.options;
    if (this.early.isScheduled || waitMs <= 0 || !this.random.chance(earlyWakeUpProbability)) return;
    this.early.isScheduled = true;
    const aheadMs = this.random.fraction() * Math.min(waitMs, IDLE_WAKE_UP_MS);
    this.world.clock.schedule(this.world.nowMs + aheadMs, this.early);
  }
}
