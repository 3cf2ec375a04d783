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
/**
 * The same where a router marked a packet instead of dropping it, past slow start (RFC 8511 §3.1): it marks a short queue, of
 * which no more is left after a cut to 0.7 than an idle link.
 */
export const CUBIC_BETA_ECN = 0.85;
/** CUBIC's scaling constant, segments/s³ (RFC 9438 §5). */
export const CUBIC_C = 0.4;
/** Packets of a path that are marked for ECN before it is known what becomes of such packets there (RFC 9000 §13.4.2). */
export const ECN_TEST_PACKETS = 10;
/** HyStart++ (RFC 9406 §4.3): bounds of the growth that ends slow start, samples a round, and conservative slow start's growth and rounds. */
export const HYSTART_RTT_THRESHOLD_MIN_MS = 4;
export const HYSTART_RTT_THRESHOLD_MAX_MS = 16;
export const HYSTART_RTT_SAMPLES = 8;
export const HYSTART_CSS_GROWTH_DIVISOR = 4;
export const HYSTART_CSS_ROUNDS = 5;
/** BBR (draft-ietf-ccwg-bbr-04 §5.6.1): what the bandwidth is multiplied with for the pacing rate, in Startup, Drain, Down and Up … */
export const BBR_STARTUP_GAIN = 2.77;
export const BBR_DRAIN_GAIN = 0.5;
export const BBR_DOWN_GAIN = 0.9;
export const BBR_UP_GAIN = 1.25;
/** … always a little less than that, or a queue would never go … */
export const BBR_PACING_MARGIN = 0.01;
/** … and the bandwidth-delay product for the window: in most states, in Up, in ProbeRTT. */
export const BBR_WINDOW_GAIN = 2;
export const BBR_UP_WINDOW_GAIN = 2.25;
export const BBR_PROBE_RTT_GAIN = 0.5;
/** The window never falls below this many packets (§2.7). */
export const BBR_WINDOW_PACKETS_MIN = 4;
/** A path is full when its rate has not grown by so much for so many round trips (§5.3.1.2). */
export const BBR_FULL_BANDWIDTH_GROWTH = 1.25;
export const BBR_FULL_BANDWIDTH_ROUNDS = 3;
/** Startup ends as well when a round trip has lost this many packets, and more than the threshold's share (§5.3.1.3). */
export const BBR_STARTUP_LOSSES = 6;
/** And when so many of its round trips had a packet that a router marked (BBR version 3 of Linux: full_ecn_cnt). */
export const BBR_STARTUP_MARKED_ROUNDS = 2;
/** A flight of which a larger share is lost was too large (§2.5). */
export const BBR_LOSS_THRESHOLD = 0.02;
/**
 * Ours: losses without a queue are the link's own, whatever is in flight; a flight is too large by them only where so large a share
 * is lost, and so many packets: a buffer that is next to nothing. A queue is what lengthens the round trip by this part and holds more
 * than a packet: of a buffer of 0.3 bandwidth-delay products a third; with a fifth a flow with CUBIC was left a quarter of such a link.
 */
export const BBR_LOSS_THRESHOLD_NO_QUEUE = 0.1;
export const BBR_LOSSES_NO_QUEUE = 3;
export const BBR_QUEUE_SEEN = 0.1;
export const BBR_QUEUE_SEEN_BYTES = 2_000;
/**
 * A queue is where so large a share of two rounds' acknowledgements have waited. Beside CUBIC in a buffer of a third of the bandwidth-delay product
 * Jain's index is 0.99 with half of them, 0.89 with 0.8 and 0.80 with all; processes that are late now and then pass for a queue with half.
 */
export const BBR_QUEUE_SHARE = 0.8;
/** So many acknowledgements in a row that have waited are a queue, and not a process that was late. */
export const BBR_QUEUE_SAMPLES = 8;
/** What is left of a bound after losses, and what part of the long-term bound is left to others. */
export const BBR_BETA = 0.7;
export const BBR_HEADROOM = 0.15;
/** Probes for bandwidth are this long apart (§5.3.3.5.3), or as many round trips as Reno needs to grow by a flight, up to … */
export const BBR_PROBE_WAIT_MS = 2_000;
export const BBR_PROBE_WAIT_SPREAD_MS = 1_000;
export const BBR_RENO_ROUNDS_MAX = 63;
/** The least round trip holds for so long; without one as short for the interval, ProbeRTT looks for so long (§5.3.4). */
export const BBR_MIN_RTT_MS = 10_000;
export const BBR_PROBE_RTT_INTERVAL_MS = 5_000;
export const BBR_PROBE_RTT_MS = 200;
/** Acknowledgements that came in bunches are allowed for over so many round trips (§5.5.9). */
export const BBR_EXTRA_ACKED_ROUNDS = 10;
/** What a sender and a receiver handle at a time: one batch (§5.6.3). */
export const BBR_QUANTUM_BYTES_MAX = 64 * 1024;
/**
 * What a link loses of packets that have waited less than half as long as is usual, in the mean of so many rounds, is its own. The mean of a round
 * of fewer packets says little. Who has waited for no more than this part of the round trip has not waited, even where nobody ever does.
 */
export const LINK_LOSS_ROUNDS = 8;
export const LINK_LOSS_ROUND_PAIRS = 8;
export const LINK_LOSS_NO_WAIT = 1.01;
/** It is remembered for half as many bytes up to so many, and counts for little before there are some. */
export const LINK_LOSS_BYTES = 1_500_000;
export const LINK_LOSS_BYTES_MIN = 190_000;
/** A small flight has no luck more often: of its own loss, two standard deviations more are no surprise. */
export const LINK_LOSS_DEVIATIONS = 2;
/**
 * BBR takes over from CUBIC, on trial, where fifty to one speaks for losses that are the link's own: that they strike packets which have not
 * waited as often as any, against a fifth of that. Three cuts are enough where nobody waits, fifteen where programs are late.
 */
export const AUTO_EVIDENCE = Math.log(50);
export const AUTO_SHARE_DIVISOR = 5;
/** What is older is forgotten; and of what CUBIC has lost before, which BBR is compared with, all but so many bytes. */
export const AUTO_EVIDENCE_MS = 30_000;
export const AUTO_SPAN_BYTES = 4_000_000;
/** So few packets, or all but so few, have waited less than usual: more would make one loss decide. */
export const AUTO_SHARE_MIN = 0.05;
/**
 * It is judged every so many round trips, of so many bytes at least. It may lose what CUBIC lost, and a hundredth for each time beyond the second
 * that it is faster, up to a bound. Of doubt, in standard deviations, each side has the benefit: CUBIC's loss is known from a handful of
 * packets. Where flows meet in a queue of a few packets BBR is hardly twice as fast, and loses up to 15 % in place of 3; where a link
 * itself loses packets it is three to thirty times as fast.
 */
export const AUTO_TRIAL_ROUNDS = 16;
export const AUTO_TRIAL_BYTES = 400_000;
export const AUTO_DEVIATIONS_BEFORE = 2;
export const AUTO_DEVIATIONS = 1;
export const AUTO_GAIN_FREE = 2;
export const AUTO_LOSS_FOR_GAIN = 0.01;
export const AUTO_LOSS_FOR_GAIN_MAX = 0.08;
/** A path that never held as many packets in a queue, in the mean of a round trip, could be losing them for want of one. */
export const AUTO_QUEUE_PACKETS = 8;
/** One part of it may go wrong: the first one, where it finds the path's rate, often does. */
export const AUTO_BAD_TRIALS = 2;
/** The next trial comes so much later at the earliest, twice as much after each that fails, and no later than this. */
export const AUTO_PAUSE_MS = 10_000;
export const AUTO_PAUSE_MS_MAX = 600_000;
/** It hands back when the link has lost fewer packets by itself for so long: as many cuts would have been too few to matter. */
export const AUTO_OWN_LOSSES = 4;
export const AUTO_REVIEW_MS = 30_000;
/** Routers listen here for PCP and NAT-PMP (RFC 6887 §19.1, RFC 6886 §3.1) … */
export const PORT_MAPPING_PORT = 5351;
/** … and tell all hosts here that they started anew or have another address (RFC 6887 §14.1, RFC 6886 §3.2.1). */
export const PORT_MAPPING_ANNOUNCE_PORT = 5350;
/** A mapping is not renewed more often than this (RFC 6887 §11.2.1). */
export const PORT_MAPPING_RENEW_MS_MIN = 4_000;
/** Longest message of PCP (RFC 6887 §7). */
export const PCP_MESSAGE_BYTES_MAX = 1_100;
/** UPnP devices listen here for searches (UPnP Device Architecture 1.1, §1.3.2). */
export const SSDP_PORT = 1900;
/** STUN: a request is sent again after this long while nothing is known of the round trip (RFC 8489 §6.2.1). */
export const STUN_RTO_MS = 500;
/** Where a STUN server listens when nothing else is said (RFC 8489 §8.1). */
export const STUN_PORT_DEFAULT = 3478;
/** STUN: a request is sent this often at most, Rc (RFC 8489 §6.2.1). */
export const STUN_REQUESTS_MAX = 7;

// ---- Ours: packets -----------------------------------------------------------------------------------------

/** Length of the header of a data packet in clear. */
export const DATA_HEADER_BYTES = 16;
/** The AEAD's tag. */
export const TAG_BYTES = 16;
/** The relay's outer header. */
export const RELAY_HEADER_BYTES = 12;
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
/** A fast flow is acknowledged so many times in a round trip … */
export const ACKS_PER_ROUND_TRIP = 16;
/** … and so often in any case: at 10 Mbit/s there is nothing to spare, and on long ways a longer wait makes longer queues. */
export const ACK_INTERVAL_MS_MAX = 1;
/** … and never for more than so many packets at a time: with 16, slow start overshot by more, and lost 5 to 13 % of a transfer. */
export const ACK_ELICITING_THRESHOLD_MAX = 8;
/** Probe timeouts double up to this: after an outage the connection has to be back within seconds, not minutes. */
export const PTO_MAX_MS = 2_000;
/** A probe timeout before any back-off is never longer: whatever was measured, no path of use takes longer to answer. */
export const PTO_BASE_MAX_MS = 6_000;
/** A round trip that seems longer was a host asleep or a network gone, and is no sample. */
export const RTT_SAMPLE_MAX_MS = 10_000;
/** Tests of ECN that lost all of their few packets before the mark is blamed: at 3 % of loss one path in 40,000 is wronged. */
export const ECN_TESTS_MAX = 3;
/** Where everything is marked through so many cuts in a row, of which each leaves 0.85 or less, no queue is what marks. */
export const ECN_ALL_MARKED_ROUNDS_MAX = 12;
/** The reordering threshold grows up to this as losses prove spurious (quiche #470). */
export const PACKET_THRESHOLD_MAX = 20;

/** Packets of one path that are remembered: the largest window of the smallest full packets, and the acknowledgements between. */
export const SENT_PACKETS_MAX = 65_536;

// ---- Ours: congestion ----------------------------------------------------------------------------------------

/** RFC 9002 §7.2 recommends ten packets. */
export const INITIAL_WINDOW_PACKETS = 10;
/** The window never falls below this many packets (RFC 9002 §7.2). */
export const WINDOW_PACKETS_MIN = 2;
/** No window beyond this: more than 1 Gbit/s at 500 ms, and a bound for every sum. */
export const WINDOW_BYTES_MAX = 64 * 1024 * 1024;
/** The queue that CUBIC may make on a path of a round trip up to this; of so many times whatever it is longer, which is most buffers' all. */
export const QUEUE_LIMIT_MS = 1;
export const QUEUE_LIMIT_FREE_RTT_MS = 1;
export const QUEUE_LIMIT_RTTS = 10;
/** No queue that is longer is of use to anybody: four bandwidth-delay products of 200 ms are less, and a shell is usable behind it. */
export const QUEUE_LIMIT_MS_MAX = 1_000;
/**
 * On a link that delivers no more than this a full packet takes a tenth of a second: what is typed waits for each one that is in the queue. There the
 * queue is held to this, though never so that fewer packets than these may be in flight.
 */
export const QUEUE_LIMIT_SLOW_BYTES_PER_MS = 16;
export const QUEUE_LIMIT_SLOW_MS = 400;
export const QUEUE_LIMIT_SLOW_PACKETS = 4;
/** So many batches are in flight besides, or a sender and a receiver that work in batches would wait for each other. */
export const QUEUE_LIMIT_BATCHES = 3;
/** A batch is what a path delivers in this time, up to what two calls to the socket take; smaller ones were seen to cost CPU. */
export const QUEUE_LIMIT_BATCH_MS = 1.2;
export const QUEUE_LIMIT_BATCH_BYTES_MAX = 128 * 1024;
/** A path's rate is taken over this time at the least, and the greatest rate counts for this long, and up to twice as long. */
export const QUEUE_LIMIT_INTERVAL_MS = 10;
export const QUEUE_LIMIT_MEMORY_MS = 5_000;
/** A link is just full with its bandwidth-delay product times this, what a timer is late in the mean, and so many packets for two ends that take turns. */
export const QUEUE_TRIAL_HEADROOM = 1.05;
export const QUEUE_TRIAL_HEADROOM_MS = 0.3;
export const QUEUE_TRIAL_HEADROOM_PACKETS = 2;
/** On a shorter way the batches of the two ends are more than what the link holds. */
export const QUEUE_TRIAL_RTT_MS_MIN = 4;
/** A smaller window has no parts that are worth telling apart. */
export const QUEUE_TRIAL_PACKETS_MIN = 16;
/** The round trip has fallen to its least when it is longer by no more than this part. */
export const QUEUE_TRIAL_TOLERANCE = 0.1;
/**
 * A flow gives up no more at a time than by fast convergence (RFC 9438 §4.7), and takes what another one has given up: one that began to grow
 * at another time is told a part that is not its own. With 0.7 two flows that had lost at different times changed places instead of coming nearer.
 */
export const QUEUE_GROWTH_SHARE_MIN = (1 + CUBIC_BETA) / 2;
export const QUEUE_GROWTH_SHARE_MAX = 1 / QUEUE_GROWTH_SHARE_MIN;
/** After a trial that failed this many losses pass, doubling, at the most. */
export const QUEUE_TRIAL_PAUSE_MAX = 8;
/**
 * Behind a queue of its own the window grows by this part of what Reno would: nobody has to be kept up with, the queue stays shorter, and somebody
 * who comes finds room.
 */
export const QUEUE_TRIAL_OWN_GROWTH = 0.5;
/** What Node's timers are good to … */
export const TIMER_MS = 1;
/** … and how finely a driver that has a timer of the kernel's parts the time: the next group of paced packets is not worth waking up for sooner. */
export const TIMER_FINE_MS = 0.5;
/** The fine one is for what comes sooner than this; for anything later a millisecond more is nothing. */
export const TIMER_FINE_REACH_MS = 10;
/** A deadline that does not move must not make a busy loop. */
export const TIMER_FINE_LEAST_MS = 0.1;
/** Packets are sent in groups as large as what comes due between two timers; the bucket holds this much of such a group … */
export const PACING_ROOM = 1.2;
/** … and what is missed when timers are late: so many times what they are on the average, of which each counts this part (once, of a pace with slack) … */
export const PACING_LATE_TIMES = 3;
export const PACING_LATE_PART = 1 / 16;
/** … up to this long. Anything beyond, even at twice the rate, overflows short buffers. */
export const PACING_BURST_MS = 2;
/** So many packets may always go together: with timers of a millisecond … */
export const PACING_BURST_PACKETS_MIN = 4;
/** … and with fine ones: the queue of a slow link may have room for no more. */
export const PACING_FINE_PACKETS_MIN = 2;
/** No rate is beyond this: 800 Gbit/s, and a bound for every product. */
export const PACING_BYTES_PER_MS_MAX = 1e8;
/** Ranges that a receiver remembers for its acknowledgements; older ones are dropped. */
export const ACK_RANGES_MAX = 64;

// ---- Ours: streams and memory ----------------------------------------------------------------------------------

/** A receive buffer grows by blocks of this size: large enough for few writes, small enough for thousands of streams. */
export const RECEIVE_BLOCK_BYTES = 16 * 1024;
/** A stream's first block; the next ones double. A short answer takes this much, and a thousand of them no more than they need. */
export const RECEIVE_BLOCK_BYTES_FIRST = 1024;
/** Blocks that streams of one connection keep though they hold nothing unread: thousands of idle streams must not hold 16 KiB each. */
export const SPARE_BLOCKS_MAX = 64;
/** Full blocks that wait to be used again, for the whole process: what two turns of the event loop take in at full speed, 1 MiB. */
export const FREE_BLOCKS_MAX = 64;
/** Blocks that a reader has emptied and may give back; those beyond are left to the garbage collector. The bound on what a slow one holds. */
export const LENT_BLOCKS_MAX = 64;
/** Gaps in what a stream received that are always taken: more than a few hundred lost frames are never under way at once … */
export const RECEIVE_RANGES_MIN = 256;
/** … but in long flights, one for this many bytes: every other full packet may be lost. A peer that sends single bytes is stopped. */
export const RECEIVE_RANGE_BYTES = 512;

// ---- Ours: wire formats ----------------------------------------------------------------------------------------

/** The most ranges an ACK frame may hold: four times what any of our receivers remembers, and an array of 4 KiB. */
export const ACK_FRAME_RANGES_MAX = 256;
/** Path numbers have 16 bits in the header; 0 is the probing space. */
export const PATH_NUMBER_MAX = 65_535;
/** A reason of CLOSE is cut to this: a sentence for people, which fits every packet. */
export const CLOSE_REASON_BYTES_MAX = 255;
/** The most candidates of one side: interfaces × families and what was observed of them; the bound on what a peer can aim us at. */
export const CANDIDATES_MAX = 32;
/** The most addresses in a PUNCH; the other side sends from no more than its candidates. */
export const PUNCH_ADDRESSES_MAX = 32;
/** Type and body of a message to or from a rendezvous: what its length field can say. */
export const RENDEZVOUS_MESSAGE_BYTES_MAX = 65_535;
/** Selectors of one agent: a thousand services on one instance, 8 KiB of the rendezvous's memory. */
export const REGISTER_SELECTORS_MAX = 1_024;
/** Attributes that a 420 answer lists: nobody sends more, and the answer stays below the size of the request that it refuses. */
export const STUN_UNKNOWN_ATTRIBUTES_MAX = 16;

// ---- Ours: sockets and forwarding ------------------------------------------------------------------------------

/** Asked of the kernel for each direction of the UDP socket: 30 ms of 1 Gbit/s, with room for a pause of the garbage collector. */
export const SOCKET_BUFFER_BYTES = 4 * 1024 * 1024;
/** Senders whose address is remembered in parsed form; the memory starts afresh beyond it. */
export const SOCKET_SENDERS_MAX = 4096;
/**
 * Read from a socket in one turn of the event loop, small packets apart: half a millisecond of a fast flow, so that a keystroke on
 * another connection has its turn soon. What is left is told of again in the next turn.
 */
export const SOCKET_TURN_BYTES = 256 * 1024;
/**
 * The same where dgram reads the first message of each turn: all that the buffer may hold. Node goes on for up to 31 messages
 * wherever this stops, and takes four times as long for each.
 */
export const SOCKET_READ_BYTES = 2 * SOCKET_BUFFER_BYTES;
/** A socket that brings many large packets is left alone for as long as it takes for so many of them to come … */
export const COALESCED_MESSAGES = 8;
/** … if two at the least come within that time … */
export const COALESCED_MESSAGES_MIN = 2;
/** … but no longer than this, and it is not done for less than that, which is what network cards do by themselves … */
export const COALESCING_MS_MAX = 1;
export const COALESCING_MS_MIN = 0.25;
/** … and not for more than this part of a round trip: what its sender takes for the path's delay, and sends in one go for. */
export const COALESCING_RTT_PART = 1 / 16;
/** How much comes is looked at again each time that this is over: an answer of a few packets is none to wait with. */
export const COALESCING_WINDOW_MS = 4;
/** After so many reads in a row that found nothing the flow is over. */
export const COALESCING_EMPTY_READS = 2;
/** Messages of less than this on the average are acknowledgements and keystrokes; those of a transfer that is relayed, with what acknowledges them, are more. */
export const COALESCED_MESSAGE_BYTES_MIN = 700;
/** Messages of more than this have been joined already, by the kernel or by a network card. */
export const COALESCED_MESSAGE_BYTES_MAX = 8 * 1024;
/** Received bytes after which the machine is drained even though more wait in the same turn of the event loop. */
export const DRIVER_BATCH_BYTES = 256 * 1024;
/** Bytes after which a drain lets the other sockets have their turn, if more may be sent: some 0.3 ms of sealing and sending. */
export const DRIVER_SEND_BYTES = 256 * 1024;
/** Of so many drains of single inputs one waits for the end of its turn, to see whether inputs still come one by one. */
export const DRIVER_SAMPLE_EVERY = 8;
/** The slice of processor time that is asked of the kernel: the least that it grants; by itself it gives some 1 to 3 ms. */
export const SCHEDULING_SLICE_MS = 0.1;
/** How much nicer than the thread that carries packets those are which compile for it: nine tenths of a processor that both want are its own. */
export const BACKGROUND_NICENESS = 10;
/**
 * Bytes of bytecode of other functions that V8 compiles along with the one that calls them, each and together; 460 and 920 as V8 comes. So
 * compiling takes less at a time, and a fast transfer no more.
 */
export const INLINED_BYTECODE_BYTES = 200;
export const INLINED_BYTECODE_BYTES_ALL = 300;
/** Bytes of bytecode that a function runs between two looks of V8 whether to optimise it; 67,584 as V8 comes. Less brings no more. */
export const INTERRUPT_BUDGET_BYTES = 20_000;
/** The longest a timer is set for: setTimeout takes 2^31 − 1 at most, and an hour costs nothing. */
export const TIMER_MS_MAX = 3_600_000;
/** From so many forwarded connections on, V8's young generation may grow: a few streams at full speed leave nothing that outlives it. */
export const YOUNG_GENERATION_CONNECTIONS = 64;
/** What a forwarded TCP connection may hold in memory towards its socket before reading from the tunnel pauses: an even part of this … */
export const FORWARD_BACKLOG_BYTES = 32 * 1024 * 1024;
/** … but no more than this, which keeps a fast local program busy, and no less than that. */
export const FORWARD_BUFFER_BYTES = 256 * 1024;
export const FORWARD_BUFFER_BYTES_MIN = 16 * 1024;
/** A target that does not take a connection for this long cannot be reached. */
export const FORWARD_CONNECT_TIMEOUT_MS = 10_000;
/** Local connections that wait for a tunnel which is not up. The oldest goes first: its client is the likeliest to have given up. */
export const FORWARD_WAITING_MAX = 256;
/** Forwarded connections of one process. */
export const FORWARD_CONNECTIONS_MAX = 16_384;
/** File descriptors kept free for everything that is not a forwarded connection. */
export const FORWARD_RESERVED_DESCRIPTORS = 32;
/** TCP keepalive of forwarded connections begins after this idle time. */
export const FORWARD_KEEPALIVE_MS = 60_000;
/** Lines that wait for a reader of stdout or stderr that is slow; later ones are dropped. */
export const OUTPUT_LINES_MAX = 1000;
/** A name that cannot be resolved is tried again after this, doubling up to NAME_RETRY_MS_MAX. */
export const NAME_RETRY_MS_MIN = 1_000;
export const NAME_RETRY_MS_MAX = 30_000;
/** A name is looked up again this often: the lifetime of most records is longer, and a rendezvous seldom moves. */
export const NAME_REFRESH_MS = 300_000;
/** While a rendezvous does not answer it may have moved: its name is looked up this often. */
export const NAME_SILENT_MS = 10_000;
/** However often a rendezvous is lost, its name is not looked up more often than this. */
export const NAME_REFRESH_MS_MIN = 5_000;
/** Packets that end connections are given this long to leave, and to be sent again for a peer that still sends. */
export const SHUTDOWN_LINGER_MS = 250;
/** The question who is at a rendezvous's address is asked this often before nobody is taken to be there. */
export const IDENTITY_PROBE_TRIES = 3;
export const IDENTITY_PROBE_INTERVAL_MS = 500;
/**
 * Where peers on one link look for each other: a group of the IPv4 local scope (RFC 2365), a transient one of the IPv6 site-local scope
 * (RFC 3307), so that what is sent there has a source that can be answered without naming an interface, and a port below the ephemeral ones.
 */
export const LAN_GROUP_IPV4 = "239.255.84.78";
export const LAN_GROUP_IPV6 = "ff15::8000:544e";
export const LAN_PORT = 4748;
/** Interfaces that a group is asked on; machines with hundreds of container bridges exist. */
export const LAN_INTERFACES_MAX = 16;
/** Host candidates an agent offers; machines with hundreds of container bridges exist. */
export const HOST_CANDIDATES_MAX = 16;
/** The interfaces are looked at this often: reading them takes some 50 µs, and a person who changes networks waits for it. */
export const NETWORK_POLL_MS = 3_000;
/** The wall clock ran ahead of the monotonic one by this much: the machine slept. */
export const SLEEP_JUMP_MS = 5_000;

// ---- Ours: stream carriers -------------------------------------------------------------------------------------

/** Numbers of carriers that are TCP connections or WebSockets begin here; those below are UDP sockets'. */
export const STREAM_CARRIER_MIN = 1 << 20;
/** What waits for one of them in this process: 40 ms of 100 Mbit/s. The kernel's own buffer grows with the connection's window. */
export const STREAM_QUEUE_BYTES_MAX = 512 * 1024;
/** What waits for all of them: a rendezvous may have thousands, and some do not read. */
export const STREAM_QUEUES_BYTES_MAX = 64 * 1024 * 1024;
/** What a connection has been handed and the kernel has not taken: enough not to run dry, and what is in there cannot be dropped. */
export const STREAM_WRITE_BYTES = 16 * 1024;
/** The largest WebSocket message that is taken: a batch of packets, and its outer headers. */
export const WEBSOCKET_MESSAGE_BYTES_MAX = 128 * 1024;
/** Opening a stream carrier, through a proxy and with TLS, takes some round trips; one that takes longer is of no use. */
export const STREAM_OPEN_MS = 8_000;
/** Two agents try to connect to each other over TCP for this long … */
export const SIMULTANEOUS_OPEN_MS = 6_000;
/** … each time for this long: the kernel sends its packet a second time after one second … */
export const SIMULTANEOUS_OPEN_TRY_MS = 1_800;
/** … with a pause about this long where the other side's network refused. */
export const SIMULTANEOUS_OPEN_PAUSE_MS = 150;
/** A connection that is ended gets this long to send what is left, and to bring what the other side had under way. */
export const STREAM_END_MS = 2_000;
/** A renewed certificate is taken up within this time. */
export const CERTIFICATE_REFRESH_MS = 15 * 60_000;
/** An accepted connection that brings no agent within this time is closed; so is one that its agent has left for so long. */
export const STREAM_IDLE_MS = 10_000;
/** Accepted connections of one host: all the agents that it may have, and a new connection for some before the old one is gone. */
export const STREAMS_PER_HOST_MAX = 3_072;

// ---- Ours: keys, secrets and tickets -----------------------------------------------------------------------

/** A key of Ed25519, X25519 or ChaCha20-Poly1305, and a BLAKE2s hash. */
export const KEY_BYTES = 32;
/** The secret of a ticket: 128 bits are beyond guessing, and the ticket stays short enough to paste. */
export const SECRET_BYTES = 16;
/** mac1, mac2, a cookie, a secret tag and a stream proof: each is an HMAC cut to 128 bits. */
export const MAC_BYTES = 16;
/** A selector at the rendezvous; 64 bits name a service of one peer, they guard nothing. */
export const SELECTOR_BYTES = 8;
/** How long a cookie of a responder under load is good (WireGuard's two minutes). */
export const COOKIE_LIFE_MS = 120_000;
/** The longest text that is looked at as a ticket: 255 rendezvous of ordinary length fit, a pasted log file does not. */
export const TICKET_CHARACTERS_MAX = 32_768;
/** Addresses at which one peer is said to be reachable: a handful of networks and both families; each is sent the initiation. */
export const PEER_ADDRESSES_MAX = 8;
/** A service name and a rendezvous' "host:port" in bytes: their length is one byte on the wire. */
export const NAME_BYTES_MAX = 255;
/** Where a rendezvous listens when its address names no port. */
export const RENDEZVOUS_PORT_DEFAULT = 4700;
/** Where an agent looks for a rendezvous's WebSocket: the port of HTTPS, which hardly any network closes. */
export const WEBSOCKET_PORT_DEFAULT = 443;
/** X25519 forms of identities that are remembered: one takes 0.4 ms to compute, and a peer knocks more than once. */
export const DH_KEY_CACHE_ENTRIES = 256;
/** Places of the send buffer whose views are kept: a batch has some 50, and the packet size changes now and then. */
export const SEAL_VIEWS_MAX = 1_024;
/** A stream that has just become busy may send this much before it stands in line with the others. */
export const STREAM_QUANTUM_BYTES = 8 * 1024;
/** One that stands in line sends this part of the path's window in its turn, but no more than a batch of the kernel's holds. */
export const STREAM_QUANTUM_WINDOW_PART = 16;
export const STREAM_QUANTUM_BYTES_MAX = 64 * 1024;
/** Newcomers send this many quanta before a stream that has been busy for a while has its turn: an endless row of them starves nobody. */
export const FRESH_QUANTA_MAX = 4;
/** A send buffer grows by blocks of this size where much is held; the pool keeps so many that are free. */
export const SEND_BLOCK_BYTES = 64 * 1024;
export const FREE_SEND_BLOCKS_MAX = 64;
/** The smallest block of a send buffer: a few small writes share one. */
export const SEND_BLOCK_BYTES_MIN = 1024;
/** A writer pauses when this much waits to be sent at the least; the path's window where that is more, up to 4 ms of 2 Gbit/s … */
export const SEND_TARGET_BYTES_MIN = 64 * 1024;
export const SEND_TARGET_BYTES_MAX = 1024 * 1024;
/** The same for a stream that has used its credit up: what its peer does not read is better left where it comes from. */
export const SEND_TARGET_BYTES_BLOCKED = 16 * 1024;
/** … and when the streams of its connection hold this much with what is under way: all that a peer's window lets us send. */
export const SEND_HELD_BYTES_MAX = 24 * 1024 * 1024;
/**
 * What the streams of all connections share in each direction, beyond what every connection has from the start; less where the machine has
 * little memory. One connection at full speed over a long path takes half of it.
 */
export const BUFFER_MEMORY_BYTES = 48 * 1024 * 1024;
export const BUFFER_MEMORY_BYTES_MIN = 4 * 1024 * 1024;
export const BUFFER_MEMORY_PART = 16;
/** A writer that reads from elsewhere reads so much at a time at most … */
export const WRITE_CHUNK_BYTES = 128 * 1024;
/** … in whole batches, with room for an acknowledgement in front of each; … */
export const BATCH_ACK_BYTES = 64;
/** … less where a connection has many streams, which may all come at once before the first one is told to pause, and this at the least. */
export const WRITE_CHUNK_BYTES_MIN = 8 * 1024;
/** Windows at first: a fast answer to a small question, without promising memory to everybody. */
export const CONNECTION_WINDOW_BYTES = 1024 * 1024;
export const STREAM_WINDOW_BYTES = 32 * 1024;
/**
 * What a stream is given when it is opened here, or has shown that it is read: as much, or an even part of half of what unread bytes have left
 * of the connection's memory. Hundreds of streams whose readers have stopped do not use it up.
 */
export const STREAM_WINDOW_BYTES_USUAL = 256 * 1024;
/** The part of the connection's free memory that one stream's window may grow to: all of its 16 MiB where nothing is unread. */
export const STREAM_WINDOW_PART_OF_FREE = 2 / 3;
/** Windows at most: 16 MiB a stream is 640 Mbit/s at 200 ms; the connection's bound is what a peer can make us hold. */
export const CONNECTION_WINDOW_BYTES_MAX = 24 * 1024 * 1024;
export const STREAM_WINDOW_BYTES_MAX = 16 * 1024 * 1024;
/** A window of which half goes within so many round trips is widened: with two, 100 Mbit/s at 200 ms and 3 % of loss were reached after 8 s instead of 3. */
export const WINDOW_WIDEN_ROUND_TRIPS = 4;
/** A new limit is told for half a window at the least, and for less than half where that is more than this: 2 ms of 2 Gbit/s. */
export const WINDOW_UPDATE_BYTES = 512 * 1024;
/** A sender that has nearly used up the connection's credit is told of so much: it may be all that unread streams leave for the others. */
export const WINDOW_UPDATE_BYTES_LEAST = 16 * 1024;
/** Streams of a peer open at once. */
export const STREAMS_MAX = 4096;

// ---- Ours: keeping and giving up --------------------------------------------------------------------------------

/** A connection outlives an outage, a sleep, a change of network of this length. */
export const IDLE_TIMEOUT_MS = 10 * 60_000;
/** What --resume-timeout takes: several keepalives at the least, or connections would end without any outage … */
export const RESUME_TIMEOUT_MS_MIN = 60_000;
/** … and a day at most, for which a peer that is gone for good keeps its streams' memory here. */
export const RESUME_TIMEOUT_MS_MAX = 24 * 3_600_000;
/** Below the 30 s after which Linux forgets an unanswered flow, and every known NAT's timeout (RFC 8445 §11 takes 15 s). */
export const KEEPALIVE_MS = 18_000;
/** A path that was dead after idleness and came back soon gets its keepalives more often by this factor: its NAT forgets quickly … */
export const KEEPALIVE_SHORTER = 2 / 3;
/** … but not more often than this. */
export const KEEPALIVE_MIN_MS = 10_000;
/** What takes longer to come back was an outage, and says nothing of a NAT's memory. */
export const KEEPALIVE_RETURN_MS = 20_000;
/** Probe timeouts in a row after which a path is suspect and its data go another way as well. */
export const SUSPECT_PTO_COUNT = 2;
/** Packets of a path in doubt, one that left a probe timeout pass, that are sent over another one as well: an initial window. */
export const DOUBT_COPIES_MAX = 10;
/** A receiver whose data have ceased asks after this long whether its path is still there. Both sides have to notice before a new relay channel serves. */
export const SILENCE_MS = 500;
/** A direct path that is not used is measured a second time after so long, and again after twice as long, and so on. */
export const SECOND_LOOK_MS = 1_000;
/** While data flow directly, the relay in reserve is asked this often whether it is there: one ping of 45 bytes. */
export const RESERVE_CHECK_MS = 5_000;
/** A suspect path with another one beside it is given up after this long without an answer. */
export const PATH_FAIL_MS = 8_000;

// ---- Ours: keys and paths ----------------------------------------------------------------------------------------

/** The first key update comes early, so that every long connection exercises it. */
export const KEY_UPDATE_FIRST_PACKETS = 1_000;
/** Later ones: far below any limit of ChaCha20-Poly1305, a second or so of the fastest link. */
export const KEY_UPDATE_PACKETS = 1_000_000;
/** A challenge is forgotten after this long. */
export const PROBE_LIFE_MS = 5_000;
/** Challenges that may be out at once: a birthday spray of 1750 fits. */
export const PROBES_OUT_MAX = 2_048;
/** Packets of the probing space that may wait to be sent. */
export const PROBE_QUEUE_MAX = 256;
/** Paths of ours alive at once; the peer keeps a receive space for each. */
export const PATHS_MAX = 16;
/** Path ids are two bytes and never used twice. */
export const PATH_ID_MAX = 0xffff;
/** Between paths of one tier a switch must gain this much round-trip time (iroh's hysteresis). */
export const SWITCH_GAIN_MS = 5;
/** … but IPv6 takes over from IPv4 where its round trip is no longer than this beyond: as good, as far as can be measured beside data. */
export const IPV6_FAVOUR_MS = 3;
/** A route over which the peer is heard and that has not been proved is challenged again after this long. */
export const PROBE_RETRY_MS = 250;
/** A path that follows its peer to another address stays there for this long; a peer heard from two places gets two paths. */
export const PATH_MOVE_PAUSE_MS = 10_000;
/** Challenges that a connection sends on its own to routes from which the peer was heard, within PROBE_LIFE_MS. */
export const PROBES_AUTOMATIC_MAX = 64;
/** A handshake initiation is sent again after this long, doubling … */
export const HANDSHAKE_RETRY_MS = 300;
/** … up to this; WireGuard's 5 s. */
export const HANDSHAKE_RETRY_MAX_MS = 5_000;
/** Handshakes that a responder has answered and that are not confirmed yet. */
export const HALF_OPEN_MAX = 256;
/** How long one of them is kept: a response, its loss and a retransmission on the slowest path. */
export const HALF_OPEN_LIFE_MS = 10_000;
/** Initiations answered a second before a cookie is asked for (WireGuard answers 20 a second and address). */
export const INITIATIONS_PER_SECOND_MAX = 100;
/** Initiations of one address that are looked into while there is load, a second and at once (WireGuard's figures). */
export const INITIATIONS_PER_SOURCE_PER_SECOND = 20;
export const INITIATIONS_PER_SOURCE_BURST = 5;
/** Addresses are hashed to this many rate limits, which exist only under load: 16 KiB. */
export const INITIATION_SOURCES = 1_024;
/** Handshakes in one turn: some 4 ms of a fast processor, for which everything else waits. */
export const HANDSHAKES_PER_TURN = 4;
/** Initiations that wait for their turn: what a fast processor answers in a second. */
export const INITIATIONS_WAITING_MAX = 1_024;
/** One that has waited longer and was not sent again has been given up by its sender: see HANDSHAKE_RETRY_MS. */
export const INITIATION_WAIT_MS = 4_000;
/** Routes by which one initiation is answered: the relay, and those from several addresses and links of the initiator. */
export const RESPONSE_ROUTES_MAX = 8;
/** A closing connection sends its CLOSE again, and answers with it, for this many probe timeouts (RFC 9000 §10.2). */
export const CLOSING_PTO_COUNT = 3;
/** An acknowledgement-only sender asks for an answer after this many packets, so that it can forget what it acknowledged. */
export const ACK_ONLY_PACKETS_MAX = 64;
/** Datagrams of the application that may wait for the window; beyond, the oldest goes. */
export const DATAGRAM_QUEUE_MAX = 128;
/** Loss, probe, acknowledgement, pacing, keepalive: so many of a path's deadlines may have passed before a late timer fires. */
export const TIMEOUTS_AT_ONCE_MAX = 5;
/** Packets in one batch: the kernel takes 64 segments a call. */
export const BATCH_PACKETS_MAX = 64;

// ---- Ours: the rendezvous ----------------------------------------------------------------------------------------

/** Agents at once: at some 60 KiB each (measured) this is what a small server has memory for. */
export const AGENTS_MAX = 10_000;
/** Agents behind one address: a whole office or a fleet behind one NAT, and not the whole rendezvous. */
export const AGENTS_PER_HOST_MAX = 2_048;
/** Instances of one identity at once. */
export const INSTANCES_PER_PEER_MAX = 64;
/** An agent that was silent for three keepalives is gone: nobody should be introduced to it. */
export const AGENT_IDLE_TIMEOUT_MS = 60_000;
/** What an agent may send before the rendezvous has read it: several of its longest message, a REGISTER of 8 KiB. */
export const AGENT_WINDOW_BYTES = 32 * 1024;
/** An agent that has opened no stream by then does not want to talk. */
export const AGENT_SILENT_MS = 30_000;
/** How long an agent whose connection was replaced keeps what it has until the new one is confirmed. */
export const AGENT_HANDOVER_MS = 5_000;

/** Events that wait for whoever wants to know what happens at the rendezvous. */
export const SERVER_EVENTS_MAX = 1_024;

/** Selectors of each agent that there is always memory for; further ones, up to REGISTER_SELECTORS_MAX, share a pool. */
export const REGISTER_SELECTORS_GUARANTEED = 32;
/** Selectors beyond the guaranteed ones, of all agents: some 100 MiB. */
export const REGISTER_SELECTORS_POOL = 500_000;
/** REGISTER of one agent: an agent gathers its changes and sends one a second at most. */
export const REGISTERS_PER_SECOND = 2;
export const REGISTERS_BURST = 32;
/** Messages of one agent of any kind; beyond them it is taken for broken and its connection ends. */
export const MESSAGES_PER_SECOND = 256;
export const MESSAGES_BURST = 8_192;
/** OPEN of one agent; the burst is a gateway that connects to its fleet. */
export const OPENS_PER_SECOND = 16;
export const OPENS_BURST = 512;
/** Introductions to one agent: a handshake costs a small board some milliseconds. */
export const INCOMINGS_PER_SECOND = 100;
export const INCOMINGS_BURST = 400;
/** The packet inside an OPEN: an initiation, which every path carries. */
export const OPEN_PACKET_BYTES_MAX = DATAGRAM_BYTES_MIN;

/** Peers that each agent may always wait for; further ones share a pool. */
export const WATCHES_GUARANTEED = 16;
export const WATCHES_PER_AGENT_MAX = 1_024;
/** Waits beyond the guaranteed ones, of all agents: some 40 MiB. */
export const WATCHES_POOL = 100_000;
/** PRESENT goes to this many agents at once, then to as many after each pause: who waited asks for the peer at once. */
export const PRESENT_BATCH = 32;
export const PRESENT_INTERVAL_MS = 50;

/** Relay channels of an agent in each direction, opened by it and opened to it. */
export const RELAY_CHANNELS_PER_AGENT_MAX = 1_024;
/** Relay channels that agents behind one address may have opened. */
export const RELAY_CHANNELS_PER_HOST_MAX = 8_192;
/** Pairs of relay channels of all agents: some 60 MiB. */
export const RELAY_PAIRS_MAX = 100_000;
/** A pair that nobody used for this long is closed; a path that is wanted has a packet every KEEPALIVE_MS. */
export const RELAY_IDLE_MS = 5 * 60_000;
/** An introduction that was not answered by then will not be: a stranger meets silence. */
export const RELAY_ANSWER_MS = 60_000;
/** What may be sent to an agent that has not answered: a handshake with all its repetitions, and no flood. */
export const RELAY_UNANSWERED_BYTES = 16 * 1024;
/** Idle pairs are looked for this often. */
export const RELAY_SWEEP_MS = 10_000;
/** What one agent may send over the relay: 2 Gbit/s. An operator who pays for traffic sets less. */
export const RELAY_RATE_BYTES_PER_SECOND = 250_000_000;
/** Room for the batches of one turn of the event loop at any rate. */
export const RELAY_BURST_BYTES = 512 * 1024;
/** What a relayed packet costs beyond its bytes: the headers of IP and UDP. */
export const RELAY_PACKET_OVERHEAD_BYTES = 28;
/** What waits in the relay, of all agents: a good 50 ms of 2 Gbit/s. */
export const RELAY_QUEUE_BYTES_MAX = 16 * 1024 * 1024;
/** What waits of one agent. */
export const RELAY_QUEUE_PARTY_BYTES_MAX = 1024 * 1024;
/** Bytes that an agent sends before the next one's turn. */
export const RELAY_TURN_BYTES = 16 * 1024;
/** Packets a second and host with a channel that nobody knows which are looked into: one is enough for an agent to hear of it. */
export const RELAY_STRAYS_PER_SECOND = 8;
/** How often a packet from a strange address makes the rendezvous ask its agent there. */
export const RELAY_STRAY_INTERVAL_MS = 500;

/** Hosts are hashed to this many rate limits: 64 KiB. */
export const HOST_RATE_BUCKETS = 4_096;
/** Answers to each host that is not authenticated: STUN, identity. An agent that measures its NAT asks some twenty times. */
export const ANSWERS_PER_HOST_PER_SECOND = 20;
export const ANSWERS_PER_HOST_BURST = 60;
/** Such answers to all hosts: 2 MB/s is no flood for anybody they might be aimed at. */
export const ANSWERS_PER_SECOND = 20_000;
/** Such answers that wait to be sent. */
export const ANSWERS_WAITING_MAX = 256;
/** Sockets of one rendezvous, the alternates of RFC 5780 included: two addresses with two ports each, twice over. */
export const RENDEZVOUS_SOCKETS_MAX = 8;
/** Connections that ask by STUN over TCP: each is over in some round trips. */
export const STUN_CONNECTIONS_MAX = 256;
/** Such connections of one host. */
export const STUN_CONNECTIONS_PER_HOST_MAX = 16;
/** One of them that has asked nothing for this long is closed. */
export const STUN_CONNECTION_IDLE_MS = 10_000;
/** Requests on one of them. */
export const STUN_CONNECTION_REQUESTS_MAX = 64;
/** What is read of a STUN message over TCP before it is given up: a packet's worth, as over UDP. */
export const STUN_MESSAGE_BYTES_MAX = 1_500;

// ---- Ours: the agent at its rendezvous -----------------------------------------------------------------------------

/** One attempt to reach a rendezvous: its initiation is sent at 0, 0.3, 0.9 and 2.1 s, and a satellite answers in 0.7 s. */
export const RENDEZVOUS_ATTEMPT_MS = 3_500;
/** The first attempts, where a rendezvous has several addresses: whoever has a broken IPv6 should not wait long for IPv4. */
export const RENDEZVOUS_ATTEMPT_SHORT_MS = 1_200;
/** Pause after the first failed attempt … */
export const RENDEZVOUS_PAUSE_MIN_MS = 500;
/** … growing up to this while the rendezvous has been away for less than RENDEZVOUS_PATIENCE_MS (it is being restarted) … */
export const RENDEZVOUS_PAUSE_MAX_MS = 1_000;
export const RENDEZVOUS_PATIENCE_MS = 60_000;
/** … and up to this afterwards: thousands of agents must not wear down a server that comes back. */
export const RENDEZVOUS_PAUSE_LATE_MAX_MS = 15_000;
/** A session that has not answered for this long is lost; a single lost packet is not worth a new handshake. */
export const RENDEZVOUS_STALL_MS = 1_500;
/** One that was asked, because a path to a peer has failed, and has said nothing for this long is lost: a satellite answers in 0.7 s. */
export const RENDEZVOUS_SILENCE_MS = 2_000;
/** Without an answer over UDP for this long, streams are tried beside it (RFC 8305 §8: 100 ms to 2 s): the first byte is due in 300 ms. */
export const RENDEZVOUS_UDP_PATIENCE_MS = 100;
/** While the session goes over a stream UDP is asked again after this long, with one packet of some 70 bytes; doubling … */
export const RENDEZVOUS_UDP_RETRY_MS = 2_000;
/** … up to this: hardly more than the keepalives that a session over UDP would cost. */
export const RENDEZVOUS_UDP_RETRY_MAX_MS = 30_000;
/** A stream is kept beside UDP for this long when that works again: should it fail at once, nothing is lost. */
export const RENDEZVOUS_UDP_HOLD_MS = 10_000;
/** REGISTER is sent this often at most. */
export const RENDEZVOUS_REGISTER_INTERVAL_MS = 1_000;
/** An OPEN that was not answered by then has failed. */
export const RENDEZVOUS_OPEN_TIMEOUT_MS = 5_000;
/** OPENs under way at once. */
export const RENDEZVOUS_OPENS_MAX = 1_024;
/** Relay channels that an agent remembers: those it opened and those it was asked for. */
export const RENDEZVOUS_CHANNELS_MAX = 2 * RELAY_CHANNELS_PER_AGENT_MAX;
/** Identity requests: the first is repeated after this long, doubling … */
export const IDENTITY_RETRY_MS = 300;
/** … up to this. */
export const IDENTITY_RETRY_MAX_MS = 2_000;

// ---- Ours: traversal ----------------------------------------------------------------------------------------------

/** iroh's figures: nine rounds, the first interval about 33 ms, doubling up to 2 s. */
export const PUNCH_ROUNDS = 9;
export const PUNCH_FIRST_INTERVAL_MS = 33;
export const PUNCH_INTERVAL_MAX_MS = 2_000;
/** Probes of one round leave in groups of this size a millisecond apart: home routers choke on bursts. */
export const PUNCH_PROBES_PER_STEP = 4;
/** Probes to the addresses that one peer names, at once and in the long run, however often it names others: several series. */
export const PUNCH_PROBES_BURST = 1_024;
export const PUNCH_PROBES_PER_SECOND = 20;
/** After a fruitless series: longer than the 30 s for which Linux keeps an unanswered mapping; doubling … */
export const PUNCH_REST_MS = 60_000;
/** … up to this. */
export const PUNCH_REST_MAX_MS = 15 * 60_000;
/** A direct path that worked and failed is asked again this soon: both NATs were right once. Doubling … */
export const PATH_RETRY_MS = 1_000;
/** … up to this, while the relay serves. */
export const PATH_RETRY_MAX_MS = 30_000;
/** Addresses that others have seen us at, remembered. */
export const OBSERVED_ADDRESSES_MAX = 4;

// ---- Ours: discovering what the NAT does ----------------------------------------------------------------------------

/** STUN requests are not sent again sooner than this, however short the round trip is … */
export const STUN_RTO_MIN_MS = 100;
/** … nor later: RFC 8489's doubling would take 39.5 s until silence is certain, and a person waits. */
export const STUN_RTO_MAX_MS = 1_000;
/** STUN servers that one discovery asks. */
export const NAT_SERVERS_MAX = 8;
/** After the first answer the other servers get this long to prove better ones. */
export const NAT_GRACE_MS = 300;
/** Rounds of the filtering test leave this far apart: 30 packets a second with three a round. */
export const NAT_ROUND_INTERVAL_MS = 100;
/** An answer of a round is waited for at least this long; three round trips where that is more. */
export const NAT_ROUND_WAIT_MIN_MS = 300;
/** Rounds of silence that prove a filter closed where every plain question beside them was answered … */
export const NAT_ROUNDS_CLEAN = 5;
/** … and where one was lost: at 10 % of loss each way an open filter is silent so often once in 600,000 times. */
export const NAT_ROUNDS_LOSSY = 8;
/** Rounds after which nothing more is to be learnt. */
export const NAT_ROUNDS_MAX = 20;
/** Rounds in which two sockets of ours try to reach each other by their addresses outside. */
export const NAT_HAIRPIN_ROUNDS = 5;
/** A router that has neither mapped a port nor been given up by then maps none: PCP, NAT-PMP and UPnP in turn take 6 s of silence. */
export const NETCHECK_ROUTER_MS = 10_000;
/** A STUN server that has not answered over TCP by then cannot be reached so. */
export const STUN_TCP_PROBE_MS = 4_000;
/** As long netcheck waits for a rendezvous to answer over TCP or WebSocket. */
export const STREAM_PROBE_MS = 4_000;
/** IP packets that are tried in search of the path's MTU: Ethernet, PPPoE, usual tunnels, IPv6's least, and what we cannot do without. */
export const MTU_PROBE_IP_BYTES: readonly number[] = [1500, 1492, 1480, 1460, 1440, 1420, 1400, 1380, 1340, 1280, 1248];
/** They leave this far apart … */
export const MTU_PROBE_INTERVAL_MS = 50;
/** … and each so often until it counts as too large. */
export const MTU_PROBE_REQUESTS_MAX = 5;
/** An answer that nobody asked for, sent together with one that was, is there so much later at most. */
export const NAT_UNSOLICITED_WAIT_MS = 20;
/** How long mappings are left alone in search of their lifetime; the first is to see that it can be measured. */
export const NAT_LIFETIME_IDLE_MS: readonly number[] = [
  1_000, 20_000, 28_000, 35_000, 50_000, 65_000, 95_000, 115_000, 125_000, 175_000, 190_000, 295_000,
];
/** A mapping in search of its lifetime is used a second time after this: Linux takes a flow for established 2 s after its start. */
export const NAT_LIFETIME_OPENING_MS = 3_000;
/** An agent measures its NAT this long after a rendezvous has taken it … */
export const NAT_MEASURE_DELAY_MS = 40;
/** … or after a peer has been reached in the meantime: what leads to a direct path goes first, on a slow machine above all … */
export const NAT_MEASURE_PEER_DELAY_MS = 80;
/** … but it is put off by no more than this. */
export const NAT_MEASURE_PUT_OFF_MS = 200;
/** After a change of network it waits longer, for that comes in several steps. */
export const NAT_NETWORK_CHANGE_DELAY_MS = 1_000;
/** The sockets that the tests are made from are open after so long. */
export const NAT_SOCKETS_OPEN_MS = 10;

// ---- Ours: port mapping ---------------------------------------------------------------------------------------------

/** Asked of the router; Tailscale's figure. A router that was not told that we are gone forgets the mapping after this. */
export const PORT_MAPPING_LEASE_SECONDS = 7_200;
/** A longer lease is taken for this long. */
export const PORT_MAPPING_LEASE_SECONDS_MAX = 86_400;
/** A router on the same network answers in a few ms; a request is sent again after this long, doubling (RFC 6886 §3.1) … */
export const PORT_MAPPING_WAIT_MS = 250;
/** … this often in all: most routers that do not answer never will, and the next protocol is waiting. */
export const PORT_MAPPING_TRIES = 3;
/** A mapping that is not needed any more is given back this often: the process wants to end, and the lease ends it anyway. */
export const PORT_MAPPING_REMOVE_TRIES = 2;
/** All of that, over whatever protocol, may hold up the end of the process for this long. */
export const PORT_MAPPING_REMOVE_MS = 1_000;
/** A router is asked this often whether it still knows of the mapping: one that was restarted does not, and its announcement may be lost. */
export const PORT_MAPPING_CHECK_MS = 10 * 60_000;
/** A router that announces that it started anew is asked within this, at random: it hears from all its hosts at once. */
export const PORT_MAPPING_ANNOUNCE_DELAY_MS = 5_000;
/** A router that maps nothing is asked again after this long (it may still be starting, after a power cut), doubling … */
export const PORT_MAPPING_RETRY_MS = 60_000;
/** … up to this. */
export const PORT_MAPPING_RETRY_MAX_MS = 30 * 60_000;
/** Which routers there are is looked up this often. */
export const PORT_MAPPING_LOOK_MS = 10_000;
/** Answers to a search for UPnP routers are waited for this long; they may take the one second that the search allows them. */
export const UPNP_SEARCH_MS = 2_000;
/** The first search comes no sooner after the program's start, and after PCP and NAT-PMP. */
export const UPNP_DELAY_MS = 1_000;
/** One request to a UPnP router, connection included: their web servers are slow. */
export const UPNP_REQUEST_MS = 3_000;
/** A description has some 5 KB, an answer less than one. */
export const UPNP_BODY_BYTES_MAX = 64 * 1024;
/** Devices that are looked at: the router, and those that claim to be one. */
export const UPNP_DEVICES_MAX = 4;
/** Services of one device that could map a port: a router has one or two. */
export const UPNP_SERVICES_MAX = 8;
/** Elements of a document that are read. */
export const UPNP_ELEMENTS_MAX = 4_096;
/** External ports that are asked for where others hold them. */
export const UPNP_PORT_TRIES = 5;
/** Checks in a row without an answer after which a UPnP mapping is taken to be gone. */
export const UPNP_FAILURES_MAX = 3;

// ---- Ours: dialling -------------------------------------------------------------------------------------------------

/** An introduction that failed is asked for again after this long, doubling, jittered … */
export const DIAL_RETRY_MS = 1_000;
/** … up to this; the rendezvous tells at once when the peer comes. */
export const DIAL_RETRY_MAX_MS = 15_000;
/** A handshake without an answer for this long is begun anew. */
export const DIAL_ANSWER_MS = 8_000;
/** A connection on which nothing works is spoken of after so long: until then a change of network, or of a NAT, mends itself. */
export const PEER_SILENCE_TOLD_MS = 3_000;
/** A stalled connection asks for a new relay channel this often. */
export const RESUME_RETRY_MS = 3_000;
/** Streams of all peers that have not brought their preamble yet: as many as one peer may open. */
export const PREAMBLE_WAIT_MAX = 4096;
/** Connections that others have made to us: at some 60 KiB each what a small machine has memory for … */
export const PEERS_MAX = 1_024;
/** … and those of one identity, which may run as several processes, and be killed and started again. */
export const PEERS_PER_IDENTITY_MAX = 64;
/** A connection that was silent for three keepalives may make room for another one. */
export const PEER_SILENT_MS = 60_000;
/** Routes of relayed packets that are remembered for the next packet. */
export const RELAY_ROUTES_MAX = 1024;

// ---- Ours: birthday punching ------------------------------------------------------------------------------------------

/** Three probes every 20 ms are 150 new flows a second a side, and 300 in a router that counts both sides'. */
export const SPRAY_INTERVAL_MS = 20;
export const SPRAY_PER_STEP = 3;
/** NATs map to unprivileged ports. */
export const SPRAY_PORT_MIN = 1024;
/** Against a router that is known to be no bad one: sockets of the hard side … */
export const SPRAY_SOCKETS = 440;
/** … and ports that the other tries; both together stay below 1,000 in the hard NAT, of which nobody can tell whether it counts them. */
export const SPRAY_PORTS = 520;
/** So many more are tried with packets that die before the hard NAT: 440 sockets meet one of 920 ports with a chance of 99.8 %. */
export const SPRAY_PORTS_SHORT = 400;
/** Hops after which they die (hyperdht's figure): past our own NATs, which are one or two, and far from the peer's. */
export const SPRAY_HOPS = 5;
/** What was sent is sent again so much faster, since it makes no flows. */
export const SPRAY_AGAIN_PER_STEP = 6;
/** Where nobody knows whether the easy side's router is a bad one, it may count both sides' flows, too: a chance of 97 %. */
export const SPRAY_SOCKETS_CAREFUL = 384;
/** So many at once, the others when the other side has tried all its ports: see birthday-spray.ts. */
export const SPRAY_SOCKETS_CAREFUL_FIRST = 256;
export const SPRAY_PORTS_CAREFUL = 576;
/** Where it is known to be one the sides take turns, sockets after ports, so that five are 250 a second; again a chance of 97 %. */
export const SPRAY_PER_STEP_IN_TURN = 5;
export const SPRAY_PORTS_IN_TURN = 460;
export const SPRAY_SOCKETS_IN_TURN = 500;
/** The two sides begin at the word of one of them; what waits for the other's end waits for this longer, or a round trip of the relay. */
export const SPRAY_SLACK_MS = 100;
/** A spray waits for both NATs to be measured for this long at most: between two hard ones it would be of no use. */
export const SPRAY_MEASURE_MS = 2_500;
/**
 * Flows that sprays, predictions and crossings may open in our routers, at once and in the long run, whatever peers say of themselves:
 * less than the 1,000 that may be alive there, and as much again in the time after which a spray is repeated.
 */
export const SEARCH_FLOWS_BURST = 980;
export const SEARCH_FLOWS_PER_SECOND = SEARCH_FLOWS_BURST / 35;
/** A spray begins when plain punching has had this long, or three round trips of the relay where that is more. */
export const SPRAY_AFTER_MS = 250;
/** Another spray waits until the routers have forgotten the last one's flows, longer than the 30 s of Linux; doubling, five times. */
export const SPRAY_AGAIN_MS = 35_000;
/** A socket of a spray that met nobody is closed this long after the spray's end. */
export const SPRAY_SOCKET_LINGER_MS = 4_000;
/** A spray waits this much longer where a mapped port is offered, and where ports can be predicted: either is cheaper, and likely to do. */
export const SPRAY_HOLD_MS = 1_500;
/** A side whose probes get nowhere tries a fresh socket after this long, or four round trips of the relay: a mapping may be poisoned. */
export const FRESH_SOCKET_AFTER_MS = 400;
/** Questions for a mapped address that may be out. */
export const MAPPED_ADDRESS_QUERIES_MAX = 32;
/** The driver opens a socket within this time, mostly; then it can be asked where it is seen. */
export const SOCKET_OPEN_MS = 10;
/** The first sockets of a process were seen to take 30 ms to open: the question is repeated after this, twice as long each time, … */
export const MAPPED_ADDRESS_RETRY_MS = 25;
/** … so often, and given up after 0.8 s. */
export const MAPPED_ADDRESS_TRIES = 5;
/** Carriers that the agent numbers itself begin here. */
export const OWN_CARRIER_MIN = 1_000;
/** Fresh sockets that one search opens before it settles for the relay. */
export const FRESH_SOCKETS_MAX = 4;

/** Probes that wait until the peer's have left wait this long at most, or three round trips of the relay. */
export const SPOKEN_WAIT_MS = 300;

// ---- Ours: crossing and predicted ports ---------------------------------------------------------------------------------

/**
 * Hops after which packets die that are only to open our own NAT. Two pass the one router that most have, three a second one behind it,
 * more a carrier's; the fewest suffices where it does, and reaches nobody wherever a single router lies between the two sides' own.
 */
export const OPENER_HOPS: readonly number[] = [2, 3, 5, 8];
/** The other side sends to those that are open so by one after this long, or a round trip of the relay. */
export const OPENER_INTERVAL_MS = 20;
/** Sockets of each side whose packets are to cross: 64 pairs, each of them two flows in a router that takes unsolicited packets in. */
export const CROSSING_SOCKETS = 8;
/** In the first round: over any distance all pairs meet, and nobody wants more paths than one. */
export const CROSSING_SOCKETS_FIRST = 2;
/** All pairs are sent to within this share of a round trip of the relay, in these bounds: the sides' starts differ by a part of it. */
export const CROSSING_SPREAD_SHARE = 1 / 8;
export const CROSSING_SPREAD_MIN_MS = 2;
export const CROSSING_SPREAD_MAX_MS = 100;
/** Both sides' sockets have been seen by then, or three round trips of the relay, or the round has failed. */
export const CROSSING_WAIT_MS = 500;
/** The first round that has met nobody is followed by another this long after its beginning, … */
export const CROSSING_AGAIN_FIRST_MS = 250;
/** … the others after this: 144 flows each, less than 300 a second. */
export const CROSSING_AGAIN_MS = 1_000;
/** As long as a NAT has not been measured there is no further round within this: with a hard one it would be of no use. */
export const CROSSING_MEASURE_MS = 2_500;
/** Rounds: no more than 800 flows are alive in a router at once. */
export const CROSSING_ROUNDS = 6;
/** After them it is quiet for longer than an unanswered flow is remembered, doubling, five times. */
export const CROSSING_REST_MS = 35_000;
/** Mappings whose ports must have been seen before an order among them counts: three small steps upwards do not come by chance. */
export const PORT_ALLOCATION_SAMPLES_MIN = 4;
/** A larger step between two ports is no sequence. */
export const PORT_STEP_MAX = 16;
/** Sockets that send to the port that the peer's NAT is expected to give: with as many others' mappings in between, half of it, all is well. */
export const PREDICTION_SOCKETS = 16;
/** Which of the mappings that come next is aimed at, counted from the newest that is known. */
export const PREDICTION_AHEAD = 8;
/** Ports that a side with an easy NAT tries, from the newest one on. */
export const PREDICTION_PORTS = 64;
/** Probes of one millisecond: see PUNCH_PROBES_PER_STEP. */
export const PREDICTION_PROBES_PER_STEP = 4;
/** Rounds, each with new sockets, before predictions are given up for a while. */
export const PREDICTION_ROUNDS = 8;
/** … where the other NAT is easy: the birthday serves as well, and both together have to stay below 1,000 flows. */
export const PREDICTION_ROUNDS_EASY = 2;
/** A round may take this long, or four round trips of the relay: sockets are opened and seen, the other side is told, packets meet. */
export const PREDICTION_ROUND_MS = 250;
/** Probes of a round are sent so often: the first ones come before the other side has opened its NAT. */
export const PREDICTION_REPEATS = 3;
/** After the rounds it is quiet for this long, doubling, five times. */
export const PREDICTION_REST_MS = 35_000;

// ---- Ours: path MTU --------------------------------------------------------------------------------------------------

/**
 * UDP payloads worth a probe: the IPv6 minimum, PPPoE inside tunnels, WireGuard's 1420, Ethernet less PPPoE, over IPv6 and IPv4, jumbo
 * frames, and what loopback carries.
 */
export const MTU_SIZES: readonly number[] = [
  1232, 1252, 1332, 1372, 1392, 1420, 1432, 1452, 1472, 8_952, 8_972, 32_000, 65_000,
];
/** UDP payload of a full Ethernet frame over IPv4. */
export const DATAGRAM_BYTES_ETHERNET = 1_472;
/** A size has failed when so many probes of it were lost (RFC 8899 §5.1.2). */
export const MTU_PROBES_MAX = 3;
/** Larger sizes are tried again after this long (RFC 8899 §5.1.1, PMTU_RAISE_TIMER). */
export const MTU_RAISE_MS = 600_000;
/** So many large packets lost in a row, with none arriving, are a black hole and not congestion. */
export const MTU_BLACK_HOLE_PACKETS = 10;

// ---- Ours: path quality ----------------------------------------------------------------------------------------------

/** A path that loses a larger share than this is worse than a relay that does not. Ordinary congestion loses a few percent at most. */
export const PATH_LOSS_SHARE_MAX = 0.15;
/** A judgement wants this many packets … */
export const PATH_QUALITY_PACKETS = 50;
/** … and this much time. */
export const PATH_QUALITY_WINDOW_MS = 500;
/** A demoted path is tried again after this long, doubling … */
export const PATH_DEMOTE_MS = 30_000;
/** … up to this. */
export const PATH_DEMOTE_MAX_MS = 600_000;
