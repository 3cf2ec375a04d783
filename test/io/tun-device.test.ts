// A TUN device on a real kernel, in a network namespace of its own.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { loadTunLibc } from "../../src/io/tun-libc.ts";
import type { TunResult } from "./tun-namespace.ts";

// The folders of system programs, which an ordinary user's PATH leaves out on Debian.
const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };

/** @returns why there can be no TUN device here, or undefined. */
function obstacle(): string | undefined {
  if (loadTunLibc() === undefined) return "koffi is not here, or the machine is not known";
  const script = "ip tuntap add dev probe mode tun && ip tuntap del dev probe mode tun";
  const probe = spawnSync("unshare", ["-Urn", "sh", "-c", script], { encoding: "utf8", env });
  if (probe.status === 0) return undefined;
  return `no TUN device in a namespace here: ${probe.error?.message ?? probe.stderr.trim().split("\n").at(-1)}`;
}

const skip = obstacle() ?? false;
const program = fileURLToPath(new URL("./tun-namespace.js", import.meta.url));
const child = skip
  ? undefined
  : spawnSync("unshare", ["-Urn", process.execPath, program], { encoding: "utf8", env, timeout: 20_000 });

function result(): TunResult {
  assert.equal(child?.status, 0, child?.stderr);
  return JSON.parse(child?.stdout ?? "") as TunResult;
}

test("a TUN device has the address and the MTU that it was given, and is up", { skip }, () => {
  assert.equal(result().seenByIp, "mtu 1400, 10.9.0.1/24, UP");
});

test("what the kernel sends into a TUN device is read packet by packet, and an idle one says so", { skip }, () => {
  const { idleRead, readPayloads } = result();
  assert.equal(idleRead, 0);
  assert.deepEqual(readPayloads, ["first", "second", "x".repeat(1372)]);
});

test("what is written to a TUN device arrives at a socket", { skip }, () => {
  const { readPayloads, echoedPayloads } = result();
  assert.deepEqual(echoedPayloads, readPayloads);
});

test("no packet that is read is longer than the device's MTU", { skip }, () => {
  const { fragmentBytes } = result();
  assert.ok(fragmentBytes.every((lengthBytes) => lengthBytes <= 1400));
  // The datagram of 1373 bytes with the headers of UDP once and of IP twice.
  assert.equal(fragmentBytes[0]! + fragmentBytes[1]!, 1373 + 8 + 20 + 20);
});

test("a name that is taken is refused with the system's code", { skip }, () => {
  assert.equal(result().secondOpen, "EBUSY");
});

test("a TUN device is gone when it is closed", { skip }, () => {
  assert.equal(result().isThereAfterClose, false);
});
