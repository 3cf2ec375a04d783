// Every bound and constant of the protocol: those a specification gives first, ours behind them, each with its reason.

// ---- From specifications ---------------------------------------------------------------------------------

/** Least UDP payload that every path has to carry (RFC 9000 §14). */
export const DATAGRAM_BYTES_MIN = 1200;
/** Initial round-trip time before any sample (RFC 9002 §6.2.2). */
export const INITIAL_RTT_MS = 333;
/** Timer granularity (RFC 9002 §6.1.2). */
export const GRANULARITY_MS = 1;
/** A packet is lost when one sent this many later was acknowledged (RFC 9002 §6.1.1). */
export const PACKET_THRESHOLD_MIN = 3;
/** A packet is lost when it is older than this times the RTT (RFC 9002 §6.1.2). */
export const TIME_THRESHOLD = 9 / 8;
/** Persistent congestion after this many PTOs without an acknowledgement (RFC 9002 §7.6.1). */
export const PERSISTENT_CONGESTION_THRESHOLD = 3;
/** CUBIC's multiplicative decrease (RFC 9438 §4.6). */
export const CUBIC_BETA = 0.7;
/** CUBIC's scaling constant, segments/s³ (RFC 9438 §5). */
export const CUBIC_C = 0.4;

// ---- Ours: packets -----------------------------------------------------------------------------------------

/** Length of the header of a data packet in clear. */
export const DATA_HEADER_BYTES = 16;
/** The AEAD's tag. */
export const TAG_BYTES = 16;
/** The relay's outer header. */
export const RELAY_HEADER_BYTES = 12;
/** 48 bits; a key is replaced long before. */
export const PACKET_NUMBER_MAX = 2 ** 48 - 1;
/** Packet numbers a receiver remembers in each space: beyond the reordering of a fast link (a window of 129 dropped good packets in quinn). */
export const REPLAY_WINDOW_PACKETS = 16_384;
/** Path 0 is the probing space. */
export const PATH_PROBING = 0;
/** Packet-number spaces of the peer that may be alive at once; a peer that opens more breaks the protocol. */
export const RECEIVE_SPACES_MAX = 64;

// ---- Ours: recovery ----------------------------------------------------------------------------------------

/** How long a receiver may hold an acknowledgement back: RFC 9000's default of 25 ms costs CPU nothing and hides in every real RTT. */
export const ACK_DELAY_MAX_MS = 25;
/** An acknowledgement goes out after this many ack-eliciting packets at the latest. */
export const ACK_ELICITING_THRESHOLD = 2;
/** Probe timeouts double up to this: after an outage the connection has to be back within seconds, not minutes. */
export const PTO_MAX_MS = 2_000;
/** The reordering threshold grows up to this as losses prove spurious (quiche #470). */
export const PACKET_THRESHOLD_MAX = 20;
