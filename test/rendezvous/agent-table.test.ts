// How many agents there may be, and whose session is whose.

import assert from "node:assert/strict";
import { test } from "node:test";
import { socketAddress } from "../../src/base/address.ts";
import { INSTANCES_PER_PEER_MAX } from "../../src/base/limits.ts";
import { RouteTable } from "../../src/base/route.ts";
import { AgentTable, defaultAgentBounds } from "../../src/rendezvous/agent-table.ts";
import type { Connection } from "../../src/transport/connection.ts";

const routes = new RouteTable();
const routeAt = (host: string, port = 4000) => routes.direct(socketAddress(host, port)!);

/** All that the table looks at of a connection. */
function connectionOf(peer: number, instance: number): Connection {
  const remoteIdentity = new Uint8Array(32).fill(peer);
  const remoteInstance = new Uint8Array(8).fill(instance);
  return { remoteIdentity, remoteInstance } as unknown as Connection;
}

test("an instance that connects anew finds its session, and the old connection is nobody's any more", () => {
  const table = new AgentTable(defaultAgentBounds);
  const [before, after] = [connectionOf(1, 1), connectionOf(1, 1)];
  const session = table.attach(before, routeAt("192.0.2.1"));
  assert.ok(session);
  assert.equal(table.attach(after, routeAt("192.0.2.2")), session);
  assert.equal(table.of(before), undefined);
  assert.equal(table.of(after), session);
  assert.equal(table.count, 1);
  assert.equal(table.at(routeAt("192.0.2.1")), undefined);
  assert.equal(table.at(routeAt("192.0.2.2")), session);
});

test("an identity has so many instances and no more, but an instance that is here is let in again", () => {
  const table = new AgentTable(defaultAgentBounds);
  for (let i = 0; i < INSTANCES_PER_PEER_MAX; i++)
    assert.ok(table.attach(connectionOf(1, i), routeAt("192.0.2.1", 1 + i)));
  assert.equal(table.attach(connectionOf(1, 255), routeAt("192.0.2.2")), undefined);
  assert.ok(table.attach(connectionOf(1, 0), routeAt("192.0.2.2")));
  assert.ok(table.attach(connectionOf(2, 255), routeAt("192.0.2.2")));
});

test("a host has so many agents and no more, until one of them goes", () => {
  const table = new AgentTable({ ...defaultAgentBounds, agentsPerHostMax: 2 });
  const session = table.attach(connectionOf(1, 1), routeAt("192.0.2.1", 1));
  assert.ok(session && table.attach(connectionOf(2, 1), routeAt("192.0.2.1", 2)));
  assert.equal(table.attach(connectionOf(3, 1), routeAt("192.0.2.1", 3)), undefined);
  assert.ok(table.attach(connectionOf(3, 1), routeAt("192.0.2.2", 3)));
  table.delete(session);
  assert.ok(table.attach(connectionOf(4, 1), routeAt("192.0.2.1", 4)));
});

test("an agent at an address where another one was does not lose it when that one goes", () => {
  const table = new AgentTable(defaultAgentBounds);
  const route = routeAt("192.0.2.1");
  const first = table.attach(connectionOf(1, 1), route);
  const second = table.attach(connectionOf(2, 1), route);
  assert.ok(first && second);
  table.delete(first);
  assert.equal(table.at(route), second);
  assert.equal(first.party.route, undefined);
});
