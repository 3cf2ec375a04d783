// What a person may write for a target, and what is refused.

import assert from "node:assert/strict";
import { test } from "node:test";
import { formatForwardTarget, parseForwardTarget } from "../../src/io/forward-target.ts";

const parsed = (text: string): string => {
  const target = parseForwardTarget(text);
  return "problem" in target ? "refused" : formatForwardTarget(target);
};

test("a port alone is the machine's own, over IPv4 and then IPv6", () => {
  assert.deepEqual(parseForwardTarget("3000"), {
    kind: "tcp",
    host: "127.0.0.1",
    port: 3000,
    fallbackHost: "::1",
  });
});

test("hosts, IPv6 addresses and unix sockets are targets", () => {
  assert.equal(parsed("camera.lan:554"), "camera.lan:554");
  assert.equal(parsed("10.0.0.5:22"), "10.0.0.5:22");
  assert.equal(parsed("[2001:db8::1]:80"), "[2001:db8::1]:80");
  assert.equal(parsed("unix:/run/service.sock"), "unix:/run/service.sock");
});

for (const text of [
  "",
  "0",
  "65536",
  "70000",
  "abc",
  "-1",
  "3000.5",
  " 3000",
  "host:",
  "host:0",
  "host:70000",
  "host:http",
  ":80",
  "::1:80",
  "[nonsense]:80",
  "[::1]",
  "http://localhost:3000",
  "host:80/path",
  "unix:",
  "unix:relative.sock",
  `unix:/${"x".repeat(200)}`,
]) {
  test(`"${text.slice(0, 30)}" is no target, and the message says what is`, () => {
    const target = parseForwardTarget(text);
    assert.ok("problem" in target, `taken for ${JSON.stringify(target)}`);
    assert.match(target.problem, /1 to 65535|host:port|IPv6|unix:\/path|at most/);
  });
}
