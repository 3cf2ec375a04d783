// The loop between a pure machine and the world: received datagrams go in, what the machine wants sent goes out, its events go
// to one handler, and one timer wakes it. The order of the calls is the one that base/machine.ts prescribes.
//
// Work is coalesced. In one turn of its event loop Node may call back for many sockets; all that they bring is put in before the
// machine is drained once, in the turn's last phase (setImmediate). Acknowledgements and full batches come of that. Where turns
// bring one input each, as they do for an interactive program, there is nothing to wait for: the machine is drained within the
// callback, and Node has no tick queue to go through afterwards. Which of the two it is, every so many inputs tell.
//
// One drain sends a bounded amount. What is left goes in the next turn, when the sockets have been looked at: a keystroke waits
// for a part of a window to be sealed and sent, not for all of it.

import type { SocketAddress } from "../base/address.ts";
import type { Ecn } from "../base/ecn.ts";
import {
  DRIVER_BATCH_BYTES,
  DRIVER_SAMPLE_EVERY,
  DRIVER_SEND_BYTES,
  TIMER_FINE_LEAST_MS,
  TIMER_FINE_REACH_MS,
  TIMER_MS_MAX,
} from "../base/limits.ts";
import type { Machine } from "../base/machine.ts";
import { type Carrier, MAIN_CARRIER } from "../base/route.ts";
import type { Transmit } from "../base/transmit.ts";
import type { DatagramSocket } from "./datagram-socket.ts";
import type { FineTimer } from "./fine-timer.ts";
import { monotonicNowMs } from "./monotonic-clock.ts";

/** A machine with events of type E. */
export type EventfulMachine<E> = Machine & { pollEvent(): E | undefined };

export interface DriverOptions<E> {
  readonly machine: EventfulMachine<E>;
  readonly socket: DatagramSocket;
  /** Takes one event. It may call any method of the machine, and need not call `wake` for that. */
  onEvent(nowMs: number, event: E): void;
  /** The machine or the handler threw: a bug of ours. The driver has stopped and the process is expected to end. */
  onFault(error: unknown): void;
  /** For deadlines within milliseconds; the driver's own from here on. */
  readonly fineTimer?: FineTimer | undefined;
}

export class Driver<E> {
  private readonly options: DriverOptions<E>;
  /** Further sockets, each under the number by which the machine's routes name it. */
  private readonly carriers = new Map<Carrier, DatagramSocket>();
  private draining = false;
  private drainAgain = false;
  private wakeScheduled = false;
  /** Whether the last turn that was looked at brought a single input. */
  private inputsAreSingle = false;
  private inputsOfTurn = 0;
  private drainsSinceSample = 0;
  private stopped = false;
  private undrainedBytes = 0;
  private timer: NodeJS.Timeout | undefined;
  private timerAtMs = Number.POSITIVE_INFINITY;
  private fineTimerAtMs = Number.POSITIVE_INFINITY;

  constructor(options: DriverOptions<E>) {
    this.options = options;
    options.fineTimer?.start(this.onFineTimer);
  }

  start(): void {
    this.listen(MAIN_CARRIER, this.options.socket);
    this.wake();
  }

  /** Takes a further socket in: what comes to it goes in with this number, and what is for this number leaves by it. */
  addSocket(carrier: Carrier, socket: DatagramSocket): void {
    this.carriers.set(carrier, socket);
    this.listen(carrier, socket);
  }

  /** Closes a further socket. What is for it from now on is lost. */
  closeSocket(carrier: Carrier): void {
    this.carriers.get(carrier)?.close();
    this.carriers.delete(carrier);
  }

  private listen(carrier: Carrier, socket: DatagramSocket): void {
    socket.start({
      onDatagram: (from, bytes, codepoint) => this.onDatagram(from, bytes, carrier, codepoint),
      onAllRead: () => this.drainSoon(),
      onReady: () => this.wake(),
      patienceMs: () => this.options.machine.patienceMs?.() ?? 0,
    });
  }

  nowMs(): number {
    return monotonicNowMs();
  }

  /** To be called after the machine was given an input by anybody else: it is drained before this turn of the event loop ends. */
  wake(): void {
    if (this.draining) {
      this.drainAgain = true;
      return;
    }
    this.inputsOfTurn++;
    if (this.wakeScheduled || this.stopped) return;
    this.wakeScheduled = true;
    if (this.wantsDrainNow()) process.nextTick(this.onWake);
    else setImmediate(this.onTurnEnd);
  }

  /** As `wake`, for a caller that has nothing left to do and holds nothing: where inputs come one by one, it is drained before this returns. */
  settle(): void {
    if (this.draining) {
      this.drainAgain = true;
      return;
    }
    this.inputsOfTurn++;
    this.drainSoon();
  }

  /** Nobody has anything under way: at once, or when the turn ends. */
  private drainSoon(): void {
    if (this.wakeScheduled || this.stopped) return;
    if (this.wantsDrainNow()) {
      this.onWake();
    } else {
      this.wakeScheduled = true;
      setImmediate(this.onTurnEnd);
    }
  }

  private wantsDrainNow(): boolean {
    return this.inputsAreSingle && ++this.drainsSinceSample < DRIVER_SAMPLE_EVERY;
  }

  /** Sends and handles all that is pending at once; for the end of a process, where no turn may follow. */
  flush(): void {
    this.guardedDrain(Number.POSITIVE_INFINITY);
  }

  /** No input is handled and nothing is sent after this. The socket stays open. */
  stop(): void {
    this.stopped = true;
    clearTimeout(this.timer);
    this.timer = undefined;
    this.options.fineTimer?.close();
  }

  private wakeNextTurn(): void {
    if (this.wakeScheduled || this.stopped) return;
    this.wakeScheduled = true;
    setImmediate(this.onTurnEnd);
  }

  private readonly onTurnEnd = (): void => {
    this.inputsAreSingle = this.inputsOfTurn <= 1;
    this.drainsSinceSample = 0;
    this.onWake();
  };

  private readonly onWake = (): void => {
    this.wakeScheduled = false;
    this.inputsOfTurn = 0;
    this.guardedDrain();
  };

  private onDatagram(from: SocketAddress, bytes: Uint8Array, carrier: Carrier, codepoint: Ecn | undefined): void {
    if (this.stopped) return;
    try {
      this.options.machine.handleDatagram(monotonicNowMs(), from, bytes, carrier, codepoint);
    } catch (error) {
      this.fail(error);
      return;
    }
    this.inputsOfTurn++;
    this.undrainedBytes += bytes.length;
    // A flood must not hold acknowledgements back for the whole turn.
    if (this.undrainedBytes >= DRIVER_BATCH_BYTES) this.guardedDrain();
  }

  private readonly onTimer = (): void => {
    this.timer = undefined;
    this.timerAtMs = Number.POSITIVE_INFINITY;
    this.guardedDrain();
  };

  private readonly onFineTimer = (): void => {
    this.fineTimerAtMs = Number.POSITIVE_INFINITY;
    this.guardedDrain();
  };

  /** What throws in there is our own bug: nothing goes on as if it had not happened. */
  private guardedDrain(sendBytes = DRIVER_SEND_BYTES): void {
    if (this.stopped) return;
    try {
      this.drain(sendBytes);
    } catch (error) {
      this.fail(error);
    }
  }

  private fail(error: unknown): void {
    this.stop();
    this.options.onFault(error);
  }

  private drain(sendBytes: number): void {
    if (this.draining) {
      this.drainAgain = true;
      return;
    }
    this.draining = true;
    this.undrainedBytes = 0;
    const { machine } = this.options;
    try {
      if (machine.pollTimeout() <= monotonicNowMs()) machine.handleTimeout(monotonicNowMs());
      // What came for an application goes to it first; what its reading gives back to the peer rides along with what is sent.
      this.handleEvents();
      let leftBytes = sendBytes;
      do {
        this.drainAgain = false;
        leftBytes = this.send(leftBytes);
        this.handleEvents();
      } while (this.drainAgain && !this.stopped);
    } finally {
      this.draining = false;
    }
    if (!this.stopped) this.armTimer();
  }

  /** @returns how many bytes of the bound are left. */
  private send(bytesMax: number): number {
    const { machine, socket } = this.options;
    const nowMs = monotonicNowMs();
    let leftBytes = bytesMax;
    // The socket's `transmit` is another object after a batch that had to wait.
    while (socket.ready) {
      if (leftBytes <= 0) {
        this.wakeNextTurn();
        break;
      }
      if (!machine.pollTransmit(nowMs, socket.transmit)) break;
      const { route, lengthBytes } = socket.transmit;
      leftBytes -= lengthBytes;
      if (route === undefined || route.carrier === MAIN_CARRIER) socket.send();
      else this.sendBy(route.carrier, socket.transmit);
    }
    return leftBytes;
  }

  /** A further socket that is gone, or that the kernel has no room for, loses the batch as a full queue on the way would. */
  private sendBy(carrier: Carrier, batch: Transmit): void {
    const socket = this.carriers.get(carrier);
    if (socket === undefined || !socket.ready) return;
    socket.transmit.copy(batch);
    socket.send();
  }

  private handleEvents(): void {
    const { machine } = this.options;
    for (let event = machine.pollEvent(); event !== undefined; event = machine.pollEvent()) {
      this.drainAgain = true;
      this.options.onEvent(monotonicNowMs(), event);
      if (this.stopped) return;
    }
  }

  /** Keeps a timer that fires earlier than needed: most deadlines move later with every packet, and an early call changes nothing. */
  private armTimer(): void {
    const atMs = this.options.machine.pollTimeout();
    if (Math.min(this.timerAtMs, this.fineTimerAtMs) <= atMs) return;
    const { fineTimer } = this.options;
    const afterMs = atMs - monotonicNowMs();
    if (fineTimer !== undefined && afterMs < TIMER_FINE_REACH_MS) {
      this.fineTimerAtMs = atMs;
      fineTimer.set(Math.max(afterMs, TIMER_FINE_LEAST_MS));
      return;
    }
    clearTimeout(this.timer);
    this.timer = undefined;
    this.timerAtMs = atMs;
    if (atMs === Number.POSITIVE_INFINITY) return;
    // Rounded up, and never below the 1 ms that a timer of Node has: a deadline that does not move cannot make a busy loop.
    const delayMs = Math.min(TIMER_MS_MAX, Math.max(1, Math.ceil(afterMs)));
    this.timer = setTimeout(this.onTimer, delayMs);
  }
}
