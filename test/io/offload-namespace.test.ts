// Offload on a real kernel whose device has no room, or a small MTU: in a network namespace of its own, so that nothing else notices.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { loadLibc } from "../../src/io/libc.ts";
import type { FullBufferResult, SmallMtuResult } from "./offload-namespace.ts";

interface Result {
  /** On dgram, and with offload. */
  readonly fullBuffer: readonly [FullBufferResult, FullBufferResult];
  readonly smallMtu: SmallMtuResult | undefined;
}

// The folders of system programs, which an ordinary user's PATH leaves out on Debian.
const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };

/** @returns why there can be no such namespace here, or undefined. */
function obstacle(): string | undefined {
  if (process.platform !== "linux") return `network namespaces need Linux, and this is ${process.platform}`;
  const script = "ip link set lo mtu 1400 up && tc qdisc add dev lo root tbf rate 60mbit burst 256kb limit 64mb";
  const probe = spawnSync("unshare", ["-Urn", "sh", "-c", script], { encoding: "utf8", env });
  if (probe.status === 0) return undefined;
  return `no network namespace here: ${probe.error?.message ?? probe.stderr.trim().split("\n").at(-1)}`;
}

const reason = obstacle();
const program = fileURLToPath(new URL("./offload-namespace.js", import.meta.url));
const child =
  reason === undefined
    ? spawnSync("unshare", ["-Urn", process.execPath, program], { encoding: "utf8", env, timeout: 30_000 })
    : undefined;
const withoutOffload = loadLibc() === undefined ? "koffi is not here, or the machine is not known" : undefined;

function result(): Result {
  assert.equal(child?.status, 0, child?.stderr);
  return JSON.parse(child?.stdout ?? "") as Result;
}

for (const [kind, name] of ["on dgram", "with offload"].entries()) {
  test(`${name}: what the kernel has no room for waits, and arrives once and in order`, {
    skip: reason ?? (kind === 1 && withoutOffload),
  }, () => {
    const full = result().fullBuffer[kind as 0 | 1];
    assert.ok(full.waits > 0, "the buffer was never full");
    assert.equal(full.receivedPackets + full.unreadPackets, full.sentPackets);
    assert.ok(full.receivedPackets > 0);
    assert.ok(full.inOrder);
    assert.equal(full.sendErrors, 0);
  });
}

test("the program changes no network that is in use", { skip: reason ?? false }, () => {
  const script = 'ip link set lo up && "$0" "$1"; echo "exit $?, $(ip -o link show lo)"';
  const args = ["-Urn", "sh", "-c", script, process.execPath, program];
  const { stdout, stderr } = spawnSync("unshare", args, { encoding: "utf8", env, timeout: 30_000 });
  assert.match(stderr, /lo is in use/);
  assert.match(stdout, /exit 1, .* mtu 65536 /);
});

test("packets beyond the device's MTU are refused, not fragmented, and batches go on", {
  skip: reason ?? withoutOffload ?? false,
}, () => {
  // For each family: a packet, a batch of two that are too big, a batch of two that are not.
  assert.deepEqual(result().smallMtu, {
    neverFragments: true,
    sendErrors: 6,
    sentDatagrams: 4,
    sendsWholeBatches: true,
  });
});
