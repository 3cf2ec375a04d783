// A link between two TUN devices: takes the packets of each, lets the weather of that direction have them, and hands those that arrive to
// the other. One thread that does nothing else, in a loop of its own instead of Node's: it sleeps until a packet, an order or the time of
// the next arrival comes.

import type { TunDevice } from "../../src/io/tun-device.ts";
import type { TunLibc } from "../../src/io/tun-libc.ts";
import { DescriptorWait } from "./descriptor-wait.ts";
import { type DirectionReport, LinkDirection } from "./link-direction.ts";
import { type LinkOrder, type LinkWay, readOrder } from "./link-settings.ts";
import { OrderInput } from "./order-input.ts";
import { LinkPacket, PACKET_BYTES_MAX, PacketPool } from "./packet-pool.ts";

/** Packets that are read from one end before the other end and the arrivals have their turn. */
const BATCH_PACKETS = 32;
const STDIN = 0;

/** What the link has to say, a JSON object a line. */
export type LinkEvent =
  | { readonly event: "ready" | "changed" }
  | { readonly event: "refused" | "note"; readonly message: string }
  /** `spanMs`: since the counting began. */
  | {
      readonly event: "report";
      readonly spanMs: number;
      readonly there: DirectionReport;
      readonly back: DirectionReport;
    };

interface Lane {
  readonly from: TunDevice;
  readonly to: TunDevice;
  readonly direction: LinkDirection;
  /** Of `from` among the descriptors. */
  readonly descriptor: number;
}

export class TunLink {
  private readonly pool = new PacketPool();
  /** Takes what comes while the pool is empty. */
  private readonly spare = new LinkPacket(new Uint8Array(PACKET_BYTES_MAX));
  private readonly lanes: readonly [Lane, Lane];
  private readonly waiting: DescriptorWait;
  private readonly orders = new OrderInput();
  private countingSinceMs = performance.now();
  private readonly tell: (event: LinkEvent) => void;

  constructor(libc: TunLibc, ends: readonly [TunDevice, TunDevice], tell: (event: LinkEvent) => void) {
    const [first, second] = ends;
    const direction = (): LinkDirection => new LinkDirection(this.pool, Math.random);
    this.lanes = [
      { from: first, to: second, direction: direction(), descriptor: 0 },
      { from: second, to: first, direction: direction(), descriptor: 1 },
    ];
    this.waiting = new DescriptorWait(libc, [first.fd, second.fd, STDIN]);
    this.tell = tell;
  }

  /** Carries packets until standard input ends. */
  run(): void {
    const [there, back] = this.lanes;
    for (;;) {
      const mayHaveMore = [this.takeIn(there), this.takeIn(back)].includes(true);
      this.deliver(there);
      this.deliver(back);
      if (mayHaveMore) continue;
      const nextMs = Math.min(there.direction.nextArrivalMs, back.direction.nextArrivalMs);
      this.waiting.wait(nextMs - performance.now());
      if (this.waiting.isReady(2) && !this.takeOrders()) return;
    }
  }

  /** @returns whether more packets may wait. */
  private takeIn({ from, direction }: Lane): boolean {
    const nowMs = performance.now();
    for (let i = 0; i < BATCH_PACKETS; i++) {
      const packet = this.pool.take();
      const lengthBytes = from.read((packet ?? this.spare).bytes);
      if (packet === undefined) {
        if (lengthBytes > 0) direction.refuse();
      } else if (lengthBytes > 0) {
        packet.lengthBytes = lengthBytes;
        direction.receive(nowMs, packet);
      } else {
        this.pool.give(packet);
      }
      if (lengthBytes === 0) return false;
    }
    return true;
  }

  private deliver({ to, direction }: Lane): void {
    const nowMs = performance.now();
    for (let packet = direction.takeDue(nowMs); packet !== undefined; packet = direction.takeDue(nowMs)) {
      // A device that is down takes nothing: the packet is lost, as on a cable that was pulled.
      to.write(packet.bytes, packet.lengthBytes);
      this.pool.give(packet);
    }
  }

  /** @returns false at the end of the input. */
  private takeOrders(): boolean {
    const lines = this.orders.read();
    for (const line of lines ?? []) {
      try {
        this.obey(readOrder(line));
      } catch (error) {
        this.tell({ event: "refused", message: (error as Error).message });
      }
    }
    return lines !== undefined;
  }

  private obey(order: LinkOrder): void {
    const [there, back] = this.lanes;
    if (order.order !== "change") {
      const nowMs = performance.now();
      const spanMs = nowMs - this.countingSinceMs;
      this.tell({ event: "report", spanMs, there: there.direction.report(), back: back.direction.report() });
      if (order.order === "report") return;
      for (const { direction } of this.lanes) direction.forget();
      this.countingSinceMs = nowMs;
      return;
    }
    for (const { direction } of this.lanesOf(order.way)) direction.change(order.settings);
    this.tell({ event: "changed" });
  }

  private lanesOf(way: LinkWay): readonly Lane[] {
    const [there, back] = this.lanes;
    if (way === "both") return this.lanes;
    return [way === "there" ? there : back];
  }
}
