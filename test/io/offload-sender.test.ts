// The sender of batches over a C library in memory, which shows what the kernel is handed and fails as the kernel may, and
// over a real socket of which the kernel refuses to cut batches.

import assert from "node:assert/strict";
import { constants } from "node:os";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type SocketAddress, socketAddress } from "../../src/base/address.ts";
import { type Ecn, ecn } from "../../src/base/ecn.ts";
import { silentLog } from "../../src/base/log.ts";
import { RouteTable } from "../../src/base/route.ts";
import { Transmit } from "../../src/base/transmit.ts";
import type { DatagramCounters } from "../../src/io/datagram-socket.ts";
import { loadLibc } from "../../src/io/libc.ts";
import { AF_INET } from "../../src/io/offload-address.ts";
import { OffloadSender, type OffloadSenderOptions } from "../../src/io/offload-sender.ts";
import { openUdpSocket } from "../../src/io/udp-socket.ts";
import { MemoryLibc, type SentMessage } from "./memory-libc.ts";

const { EAGAIN, EINVAL, EIO, EMSGSIZE, ENETUNREACH, EPERM } = constants.errno;
const MSG_DONTWAIT = 0x40;
const routes = new RouteTable();

function address(host: string, port: number): SocketAddress {
  const found = socketAddress(host, port);
  assert.ok(found !== undefined);
  return found;
}

/** A batch whose bytes tell where they stand. */
function batch(lengthBytes: number, segmentBytes: number, host = "192.0.2.1", port = 9): Transmit {
  const transmit = new Transmit();
  transmit.begin(routes.direct(address(host, port)));
  for (let i = 0; i < lengthBytes; i++) transmit.buffer[i] = (i * 7) % 251;
  transmit.lengthBytes = lengthBytes;
  transmit.segmentBytes = segmentBytes;
  return transmit;
}

function makeSender(options: Partial<OffloadSenderOptions> = {}, wordBytes: 4 | 8 = 8) {
  const libc = new MemoryLibc(wordBytes);
  const counters: DatagramCounters = { sentDatagrams: 0, receivedDatagrams: 0, sendErrors: 0, receiveErrors: 0 };
  const all = { libc, fd: 7, family: 4, segmentation: true, counters, log: silentLog, ...options } as const;
  return { libc, counters, sender: new OffloadSender(all) };
}

const lengths = (messages: readonly SentMessage[]) => messages.map(({ data }) => data.length);
const isJoined = ({ segmentBytes }: SentMessage) => segmentBytes !== undefined;

for (const wordBytes of [4, 8] as const) {
  test(`a batch is one call, laid out for words of ${wordBytes} bytes`, () => {
    const { libc, sender, counters } = makeSender({}, wordBytes);
    const transmit = batch(3_500, 1_000, "192.0.2.1", 4700);
    assert.equal(sender.send(transmit), 3_500);
    const name = `0200125cc0000201${"00".repeat(8)}`;
    const data = transmit.buffer.slice(0, 3_500);
    assert.deepEqual(libc.sent, [{ fd: 7, flags: MSG_DONTWAIT, name, data, segmentBytes: 1_000 }]);
    assert.equal(counters.sentDatagrams, 4);
  });
}

test("a single packet has no control message, also after a batch", () => {
  const { libc, sender, counters } = makeSender();
  sender.send(batch(3_000, 1_000));
  assert.equal(sender.send(batch(1_200, 1_200)), 1_200);
  assert.deepEqual(
    libc.sent.map(({ segmentBytes }) => segmentBytes),
    [1_000, undefined],
  );
  assert.equal(counters.sentDatagrams, 4);
});

test("each batch goes to its own destination", () => {
  const { libc, sender } = makeSender({ family: 6 });
  for (const host of ["192.0.2.1", "2001:db8::1", "192.0.2.1"]) sender.send(batch(10, 10, host, 9));
  const mapped = `0a00000900000000${"00".repeat(10)}ffffc000020100000000`;
  assert.deepEqual(
    libc.sent.map(({ name }) => name),
    [mapped, "0a0000090000000020010db800000000000000000000000100000000", mapped],
  );
});

test("what is to die on its way leaves with a limit of hops, which the socket has for no packet before or after", () => {
  for (const [host, option] of [
    ["192.0.2.1", "0/2"],
    ["2001:db8::1", "41/16"],
  ] as const) {
    const { libc, sender, counters } = makeSender({ family: 6 });
    const limits: string[] = [];
    libc.onOption = (level, name, value) => limits.push(`${level}/${name}=${value} after ${libc.sent.length}`);
    sender.send(batch(100, 100, host));
    const dying = batch(100, 100, host);
    dying.hopLimit = 3;
    sender.send(dying);
    sender.send(batch(100, 100, host));
    assert.deepEqual(limits, [`${option}=3 after 1`, `${option}=-1 after 2`]);
    assert.equal(counters.sentDatagrams, 3);
  }
});

test("a codepoint of ECN is an option of the socket, for each family, set where it is another than the batch before had", () => {
  const { libc, sender } = makeSender({ family: 6 });
  const options: string[] = [];
  libc.onOption = (level, name, value) => options.push(`${level}/${name}=${value} after ${libc.sent.length}`);
  const send = (codepoint: Ecn, host?: string): void => {
    const transmit = batch(100, 100, host);
    transmit.ecn = codepoint;
    sender.send(transmit);
  };
  send(ecn.notEct);
  for (let i = 0; i < 3; i++) send(ecn.ect0);
  send(ecn.notEct, "2001:db8::1");
  send(ecn.ce, "2001:db8::1");
  send(ecn.ect0);
  send(ecn.notEct);
  assert.deepEqual(options, ["0/1=2 after 1", "41/67=3 after 5", "0/1=0 after 7"]);
  assert.equal(libc.sent.length, 8);
});

test("a call has at most 64 segments", () => {
  const { libc, sender, counters } = makeSender();
  assert.equal(sender.send(batch(1_505, 10)), 1_505);
  assert.deepEqual(lengths(libc.sent), [640, 640, 225]);
  assert.equal(counters.sentDatagrams, 151);
});

test("a call has no more than the largest datagram, and whole segments", () => {
  const { libc, sender } = makeSender();
  sender.send(batch(65_507, 1_400));
  assert.deepEqual(lengths(libc.sent), [46 * 1_400, 65_507 - 46 * 1_400]);
  sender.send(batch(65_507, 65_507));
  assert.deepEqual(lengths(libc.sent).slice(2), [65_507]);
});

test("what the kernel has no room for is the caller's", () => {
  const { libc, sender, counters } = makeSender();
  libc.failure = () => (libc.sent.length === 1 ? EAGAIN : 0);
  assert.equal(sender.send(batch(1_505, 10)), 640);
  assert.deepEqual({ ...counters }, { sentDatagrams: 64, receivedDatagrams: 0, sendErrors: 0, receiveErrors: 0 });
});

for (const [name, error] of Object.entries({ EIO, EINVAL })) {
  test(`after ${name} the batch is sent again packet by packet, and no batch is joined any more`, () => {
    const { libc, sender, counters } = makeSender();
    sender.send(batch(2_000, 1_000));
    libc.failure = (message) => (isJoined(message) ? error : 0);
    const transmit = batch(2_500, 1_000);
    assert.equal(sender.send(transmit), 2_500);
    assert.deepEqual(lengths(libc.sent), [2_000, 1_000, 1_000, 500]);
    assert.deepEqual(
      Buffer.concat(libc.sent.slice(1).map(({ data }) => data)),
      Buffer.from(transmit.buffer.slice(0, 2_500)),
    );
    libc.failure = () => 0;
    sender.send(batch(2_000, 1_000));
    assert.deepEqual(lengths(libc.sent).slice(4), [1_000, 1_000]);
    assert.equal(sender.sendsWholeBatches, false);
    assert.equal(counters.sentDatagrams, 7);
    assert.equal(counters.sendErrors, 0);
  });
}

test("a batch that is refused because its packets are too big says nothing against batches", () => {
  for (const error of [EINVAL, EMSGSIZE]) {
    const { libc, sender, counters } = makeSender();
    libc.failure = (message) => (isJoined(message) ? error : message.data.length > 1_400 ? EMSGSIZE : 0);
    assert.equal(sender.send(batch(3_100, 1_500)), 3_100);
    assert.deepEqual(lengths(libc.sent), [100], "the last packet, which is small enough");
    assert.equal(sender.sendsWholeBatches, true);
    assert.equal(counters.sendErrors, 2);
  }
});

test("where the kernel has no room in the middle of packets that are sent again, the rest is the caller's", () => {
  const { libc, sender } = makeSender();
  libc.failure = (message) => (isJoined(message) ? EIO : libc.sent.length === 2 ? EAGAIN : 0);
  assert.equal(sender.send(batch(3_500, 1_000)), 2_000);
});

test("packets that cannot go anywhere are counted, one by one, and lost", () => {
  const { libc, sender, counters } = makeSender();
  libc.failure = () => ENETUNREACH;
  assert.equal(sender.send(batch(3_500, 1_000)), 3_500);
  libc.failure = () => EPERM;
  assert.equal(sender.send(batch(100, 100)), 100);
  assert.equal(counters.sendErrors, 5);
  assert.equal(counters.sentDatagrams, 0);
  libc.failure = () => 0;
  sender.send(batch(2_000, 1_000));
  assert.deepEqual(lengths(libc.sent), [2_000], "and joined as before");
});

test("a destination that the socket's family cannot reach is counted", () => {
  const { libc, sender, counters } = makeSender({ family: 4 });
  assert.equal(sender.send(batch(2_500, 1_000, "2001:db8::1")), 2_500);
  assert.equal(counters.sendErrors, 3);
  assert.deepEqual(libc.sent, []);
});

test("a kernel that does not know UDP_SEGMENT is never shown one", () => {
  const { libc, sender } = makeSender({ segmentation: false });
  sender.send(batch(2_500, 1_000));
  assert.deepEqual(lengths(libc.sent), [1_000, 1_000, 500]);
  assert.ok(!libc.sent.some(isJoined));
});

test("a real kernel that refuses a batch still gets every packet, once", async (t: TestContext) => {
  const libc = loadLibc();
  if (libc === undefined) return t.skip("koffi is not here, or the machine is not known");
  const receiver = await openUdpSocket({ host: "127.0.0.1", log: silentLog, offload: false });
  const received: number[] = [];
  receiver.start({ onDatagram: (_from, bytes) => received.push(bytes.length), onAllRead() {}, onReady() {} });
  t.after(() => receiver.close());
  const fd = libc.socket(AF_INET, 2, 0);
  t.after(() => libc.close(fd));
  // The kernel cuts no batches of a socket that sends without checksums (SO_NO_CHECK): EINVAL.
  assert.equal(libc.setOption(fd, 1, 11, 1), 0);
  const { sender, counters } = makeSender({ libc, fd });
  for (let i = 0; i < 2; i++) sender.send(batch(2_500, 1_000, "127.0.0.1", receiver.localPort));
  for (let waited = 0; received.length < 6 && waited < 200; waited++) await sleep(10);
  assert.deepEqual(received, [1_000, 1_000, 500, 1_000, 1_000, 500]);
  assert.equal(counters.sentDatagrams, 6);
  assert.equal(sender.sendsWholeBatches, false);
});
