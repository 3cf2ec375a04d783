// Steps into a network namespace: what this thread opens from then on belongs there, and what it opened before stays where it was.

import { closeSync, openSync } from "node:fs";
import { getSystemErrorName } from "node:util";
import type { TunLibc } from "../../src/io/tun-libc.ts";

const CLONE_NEWNET = 0x40000000;

/** @param path of the namespace's file: "/run/netns/name". @throws an Error that says why not. */
export function enterNetworkNamespace(libc: TunLibc, path: string): void {
  const fd = openSync(path, "r");
  try {
    if (libc.setns(fd, CLONE_NEWNET) < 0) {
      throw new Error(`${getSystemErrorName(-libc.errno())}: entering the network namespace ${path}`);
    }
  } finally {
    closeSync(fd);
  }
}
