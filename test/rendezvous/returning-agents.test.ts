// All agents of a rendezvous come back at once. A handshake takes a millisecond of its processor, and nothing makes that less; but none
// may be made in vain, or the crowd keeps itself away.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ReturningAgents } from "./returning-agents.ts";

const AGENTS = 450;

for (const bufferDatagrams of [550, 5_000]) {
  test(`${AGENTS} agents are back as soon as the processor can have them, with ${bufferDatagrams} datagrams in the socket's buffer`, () => {
    const crowd = new ReturningAgents({ agents: AGENTS, seed: 1, bufferDatagrams });
    const tookMs = crowd.untilAllAreThere(60_000);
    assert.equal(crowd.registered, AGENTS);
    assert.ok(crowd.handshakes <= 1.02 * AGENTS, `${crowd.handshakes} handshakes`);
    // A cookie and the conversation's first answer are some round trips of up to 120 ms.
    assert.ok(tookMs <= 1.2 * crowd.busyMs + 300, `${tookMs} ms, of which the processor worked ${crowd.busyMs} ms`);
  });
}
