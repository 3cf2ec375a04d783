// Who may connect: whoever holds the ticket, and nobody else.

import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { Download } from "./download.ts";
import type { Lab } from "./lab.ts";
import { labTest, pathEvent } from "./lab-tunnel.ts";
import { PacketCapture, type UdpPacket } from "./packet-capture.ts";

const homeRouters = { A: "port-restricted", B: "port-restricted" } as const;
/** The first byte of what the rendezvous passes on from one agent to the other. */
const RELAYED = 0xc5;

/** Ends a capture at the rendezvous. @returns what it passed on from the service's side, and to the client's. */
async function answersIn(capture: PacketCapture, lab: Lab<"A" | "B">): Promise<UdpPacket[]> {
  await capture.stop();
  const { A, B } = lab.sites;
  return capture
    .udpPackets()
    .filter((packet) => packet.payload[0] === RELAYED)
    .filter(({ source, destination }) => {
      return source.startsWith(`${A.router.address}:`) || destination.startsWith(`${B.router.address}:`);
    });
}

labTest(
  "a stranger who knows peer id and rendezvous, but has no ticket, gets no answer and no byte",
  homeRouters,
  async (tunnel) => {
    const { lab, clientHost } = tunnel;
    await tunnel.startRendezvous();
    await tunnel.serveFiles(3000);
    const exposed = await tunnel.expose(3000);
    const capture = await PacketCapture.start(lab, lab.rendezvous);
    const stranger = await tunnel.connect(exposed.peerId, 3000, { identity: "stranger", args: ["--service", "3000"] });
    const order = { local: stranger.local, lengthBytes: 1000, limitSeconds: 5 };
    const attempt = await Download.start(lab, clientHost, order).ended;
    assert.notEqual(attempt.code, 0);
    assert.equal(attempt.lengthBytes, 0);
    assert.deepEqual(
      stranger.process.events.filter((event) => event.event === "path"),
      [],
    );
    // Not even over the relay did the exposing side ever say anything to the stranger.
    assert.deepEqual(await answersIn(capture, lab), []);

    // The service was there all the while: whoever has the ticket is let in, and is seen to be answered.
    const control = await PacketCapture.start(lab, lab.rendezvous);
    const friend = await tunnel.connect(exposed.ticket, 3001, { identity: "friend" });
    await Download.start(lab, clientHost, { ...order, local: friend.local }).assertWhole();
    assert.notDeepEqual(await answersIn(control, lab), []);
  },
);

labTest(
  "a ticket with one character changed is refused at once, with a clear message and exit code 2",
  homeRouters,
  async (tunnel) => {
    await tunnel.startRendezvous();
    const { ticket } = await tunnel.expose(3000);
    // One place in the peer id, one in the secret, one at the end.
    for (const at of [20, 70, ticket.length - 3]) {
      const changed = `${ticket.slice(0, at)}${ticket[at] === "a" ? "b" : "a"}${ticket.slice(at + 1)}`;
      const process = tunnel.start(tunnel.clientHost, ["connect", changed, "--listen", "127.0.0.1:3000"]);
      const end = await process.ended;
      assert.equal(end.code, 2);
      assert.match(end.stderr, /ticket.*(mistyped|changed|damaged|checksum)/i);
      assert.equal(process.events.at(-1)?.event, "error");
      for (const output of [end.stdout, end.stderr])
        assert.ok(!output.includes(changed.slice(60)), "the ticket is repeated");
    }
  },
);

labTest("a ticket made anew shuts out the old one", homeRouters, async (tunnel) => {
  const { lab, clientHost } = tunnel;
  await tunnel.startRendezvous();
  await tunnel.serveFiles(3000);
  const before = await tunnel.expose(3000);
  await before.process.stop();
  const now = await tunnel.expose(3000, { args: ["--new-ticket"] });
  const old = await tunnel.connect(before.ticket, 3000, { identity: "old" });
  const fresh = await tunnel.connect(now.ticket, 3001, { identity: "fresh" });
  await pathEvent(fresh.process, "direct", 5000);
  await Download.start(lab, clientHost, { local: fresh.local, lengthBytes: 1000, limitSeconds: 10 }).assertWhole();
  await sleep(1000);
  assert.deepEqual(
    old.process.events.filter((event) => event.event === "path"),
    [],
  );
});
