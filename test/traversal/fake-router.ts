// A router for tests that maps ports by PCP and NAT-PMP, written from the RFCs and apart from the codecs that it is there to test.
// It can be made to refuse, to be silent, to forget, to lie.

export interface FakeRouterOptions {
  readonly pcp?: boolean;
  readonly natPmp?: boolean;
  /** Its address outside. */
  readonly external?: string;
}

/** A mapping that it holds. */
export interface HeldMapping {
  readonly internalPort: number;
  readonly externalPort: number;
  readonly lifetimeSeconds: number;
  readonly nonce: string;
}

const ipv4Bytes = (host: string): number[] => host.split(".").map(Number);
const uint16 = (value: number): number[] => [value >> 8, value & 0xff];
const uint32 = (value: number): number[] => [...uint16(Math.floor(value / 65_536)), ...uint16(value % 65_536)];

export class FakeRouter {
  pcp: boolean;
  natPmp: boolean;
  external: string;
  /** What it grants at most. */
  lifetimeSecondsMax = 86_400;
  /** Added to the port that is asked for. */
  portShift = 0;
  /** The result of every request for a mapping; 0 is success. */
  result = 0;
  startedAtMs = 0;
  readonly mappings = new Map<number, HeldMapping>();
  /** Every request in hex. */
  readonly requests: string[] = [];

  constructor(options: FakeRouterOptions = {}) {
    this.pcp = options.pcp ?? true;
    this.natPmp = options.natPmp ?? true;
    this.external = options.external ?? "203.0.113.9";
  }

  /** Forgets everything, as after a power cut. */
  restart(nowMs: number): void {
    this.mappings.clear();
    this.startedAtMs = nowMs;
  }

  epochSeconds(nowMs: number): number {
    return Math.floor((nowMs - this.startedAtMs) / 1000);
  }

  /** @returns the answer, or undefined where there is none. */
  answer(nowMs: number, request: Uint8Array): Uint8Array | undefined {
    this.requests.push(Buffer.from(request).toString("hex"));
    const version = request[0];
    if (version === 2 && this.pcp) return this.answerPcp(nowMs, request);
    if (version === 0 && this.natPmp) return this.answerNatPmp(nowMs, request);
    if (!this.natPmp || version === 0) return undefined;
    // RFC 6886 §3.5: a router that knows only NAT-PMP says so to whoever asks by PCP.
    return Uint8Array.from([0, 0x80 | (request[1] as number), 0, 1, ...uint32(this.epochSeconds(nowMs))]);
  }

  /** What it sends to all hosts when it has started. */
  announcement(nowMs: number, protocol: "pcp" | "nat-pmp"): Uint8Array {
    const epoch = uint32(this.epochSeconds(nowMs));
    if (protocol === "nat-pmp") return Uint8Array.from([0, 0x80, 0, 0, ...epoch, ...ipv4Bytes(this.external)]);
    return Uint8Array.from([2, 0x80, 0, 0, 0, 0, 0, 0, ...epoch, ...new Uint8Array(12)]);
  }

  private grant(internalPort: number, askedPort: number, askedSeconds: number, nonce: string): HeldMapping {
    const held = this.mappings.get(internalPort);
    const lifetimeSeconds = Math.min(askedSeconds, this.lifetimeSecondsMax);
    const externalPort = held?.externalPort ?? (askedPort || internalPort) + this.portShift;
    const mapping = { internalPort, externalPort, lifetimeSeconds, nonce };
    if (askedSeconds === 0) this.mappings.delete(internalPort);
    else this.mappings.set(internalPort, mapping);
    return mapping;
  }

  private answerPcp(nowMs: number, request: Uint8Array): Uint8Array {
    const epoch = uint32(this.epochSeconds(nowMs));
    const view = new DataView(request.buffer, request.byteOffset, request.length);
    if (request[1] === 0) return Uint8Array.from([2, 0x80, 0, 0, 0, 0, 0, 0, ...epoch, ...new Uint8Array(12)]);
    const nonce = request.subarray(24, 36);
    const internalPort = view.getUint16(40);
    if (this.result !== 0) {
      return Uint8Array.from([
        2,
        0x81,
        0,
        this.result,
        ...uint32(30),
        ...epoch,
        ...new Uint8Array(12),
        ...request.subarray(24),
      ]);
    }
    const asked = { port: view.getUint16(42), seconds: view.getUint32(4) };
    const mapping = this.grant(internalPort, asked.port, asked.seconds, Buffer.from(nonce).toString("hex"));
    return Uint8Array.from([
      ...[2, 0x81, 0, 0, ...uint32(mapping.lifetimeSeconds), ...epoch, ...new Uint8Array(12)],
      ...[...nonce, 17, 0, 0, 0, ...uint16(internalPort), ...uint16(asked.seconds === 0 ? 0 : mapping.externalPort)],
      ...[...new Uint8Array(10), 0xff, 0xff, ...ipv4Bytes(this.external)],
    ]);
  }

  private answerNatPmp(nowMs: number, request: Uint8Array): Uint8Array {
    const head = [...uint16(this.result), ...uint32(this.epochSeconds(nowMs))];
    if (request[1] === 0) return Uint8Array.from([0, 0x80, ...head, ...ipv4Bytes(this.external)]);
    const view = new DataView(request.buffer, request.byteOffset, request.length);
    const internalPort = view.getUint16(4);
    if (this.result !== 0) return Uint8Array.from([0, 0x81, ...head, ...uint16(internalPort), 0, 0, 0, 0, 0, 0]);
    const seconds = view.getUint32(8);
    const mapping = this.grant(internalPort, view.getUint16(6), seconds, "");
    const externalPort = seconds === 0 ? 0 : mapping.externalPort;
    return Uint8Array.from([
      ...[0, 0x81, ...head, ...uint16(internalPort), ...uint16(externalPort), ...uint32(mapping.lifetimeSeconds)],
    ]);
  }
}
