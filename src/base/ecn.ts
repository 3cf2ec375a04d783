// Explicit Congestion Notification (RFC 3168): the two lowest bits of an IP header's TOS or traffic class. A sender that understands the
// signal marks its packets ECT(0); a router whose queue grows turns that into CE instead of dropping the packet; the receiver
// counts what arrives, and tells.

/** The codepoints, as the two bits spell them (RFC 3168 §5). */
export const ecn = {
  notEct: 0,
  ect1: 1,
  ect0: 2,
  ce: 3,
} as const;

/** A value of `ecn`. */
export type Ecn = (typeof ecn)[keyof typeof ecn];

/** How many packets of one packet-number space arrived with each codepoint; they only grow. */
export interface EcnCounts {
  readonly ect0: number;
  readonly ect1: number;
  readonly ce: number;
}
