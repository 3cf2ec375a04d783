// ECN on a real kernel: what our sockets set arrives and is told, and a sender whose packets are marked on their way slows down. In a
// network namespace of its own, where nftables marks packets of nobody else.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { loadLibc } from "../../src/io/libc.ts";
import type { MarkedTransfer, ToldCodepoints } from "./ecn-namespace.ts";

interface Result {
  readonly told: readonly ToldCodepoints[];
  /** From a socket with offload, and from one of plain dgram. */
  readonly transfers: readonly [MarkedTransfer, MarkedTransfer];
}

// The folders of system programs, which an ordinary user's PATH leaves out on Debian.
const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };

/** @returns why there can be nothing of the kind here, or undefined. */
function obstacle(): string | undefined {
  if (process.platform !== "linux") return `network namespaces need Linux, and this is ${process.platform}`;
  if (loadLibc() === undefined) return "koffi is not here, or the machine is not known";
  const chain = "chain out { type filter hook output priority mangle; ip ecn ect0 ip ecn set ce; };";
  const script = `ip link set lo up && nft 'table inet marking { ${chain} }'`;
  const probe = spawnSync("unshare", ["-Urn", "sh", "-c", script], { encoding: "utf8", env });
  if (probe.status === 0) return undefined;
  return `no network namespace with nftables here: ${probe.error?.message ?? probe.stderr.trim().split("\n").at(-1)}`;
}

const reason = obstacle();
const program = fileURLToPath(new URL("./ecn-namespace.js", import.meta.url));
const child =
  reason === undefined
    ? spawnSync("unshare", ["-Urn", process.execPath, program], { encoding: "utf8", env, timeout: 60_000 })
    : undefined;

function result(): Result {
  assert.equal(child?.status, 0, child?.stderr);
  return JSON.parse(child?.stdout ?? "") as Result;
}

test("the codepoint of each packet and each joined batch is set, arrives, and is told, for both families", {
  skip: reason ?? false,
}, () => {
  const { told } = result();
  assert.equal(told.length, 3);
  for (const { from, to, told: messages } of told) {
    assert.equal(messages.length, 10, `from ${from} to ${to}: ${JSON.stringify(messages)}`);
    for (const [sent, heard] of messages) assert.equal(heard, sent, `from ${from} to ${to}`);
  }
});

test("a sender whose packets the kernel marks cuts its window, loses nothing, and goes on", {
  skip: reason ?? false,
}, () => {
  const { before, marked, bytesWhileMarked } = result().transfers[0];
  assert.equal(before.state, "capable");
  assert.equal(marked.state, "capable");
  assert.ok(marked.windowBytes < before.windowBytes / 2, `${before.windowBytes} became ${marked.windowBytes}`);
  assert.ok(bytesWhileMarked > 100_000, `${bytesWhileMarked} bytes`);
});

test("a socket of plain dgram marks nothing, and is slowed down by no mark", { skip: reason ?? false }, () => {
  const { before, marked, bytesWhileMarked } = result().transfers[1];
  assert.equal(before.state, "failed");
  assert.equal(marked.state, "failed");
  assert.ok(bytesWhileMarked > 100_000, `${bytesWhileMarked} bytes`);
});
