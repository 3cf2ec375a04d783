// Finds out how this machine can run the lab, which builds network namespaces: as root directly, otherwise inside a
// user namespace of its own, where an ordinary user may do the same.

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** What the lab calls, and the Debian package that has it. */
const PROGRAMS = {
  conntrack: "conntrack",
  curl: "curl",
  ip: "iproute2",
  miniupnpd: "miniupnpd-nftables",
  nc: "netcat-openbsd",
  nft: "nftables",
  nsenter: "util-linux",
  tc: "iproute2",
  tcpdump: "tcpdump",
  turnserver: "coturn",
  turnutils_natdiscovery: "coturn",
  unshare: "util-linux",
};

/** The folders of system programs, which an ordinary user's PATH leaves out on Debian. */
export const labPath = `${process.env.PATH}:/usr/local/sbin:/usr/sbin:/sbin`;

/** Makes a namespace with a bridge and a packet filter in it, and removes it again: all that the lab depends on. */
const PROBE = `
name=tunnel-probe-$$
ip netns add $name || exit 1
trap 'ip netns del $name' EXIT
ip -n $name link add probe type bridge || exit 1
nsenter --net=/run/netns/$name nft add table bridge probe || exit 1
nsenter --net=/run/netns/$name nft add table ip probe
`;

/**
 * The uid inside is an ordinary one with all capabilities rather than a mapped root, because tcpdump as root changes its
 * user, for which a user namespace has no second one. /run is replaced where /run/netns is not there yet, since only
 * root may make it.
 */
const ENTER = `
if [ -d /run/netns ]; then mount -t tmpfs tmpfs /run/netns; else mount -t tmpfs tmpfs /run && mkdir /run/netns; fi || exit 1
ip link set lo up || exit 1
exec "$@"
`;

function attempt(command) {
  const [program, ...args] = command;
  const result = spawnSync(program, args, { encoding: "utf8", env: { ...process.env, PATH: labPath } });
  if (result.status === 0) return undefined;
  return (result.error?.message ?? result.stderr).trim().split("\n").at(-1) || `${program} failed`;
}

/** Whether this is root with every user id, not one mapped into a user namespace. */
function isFullRoot() {
  return process.getuid?.() === 0 && readFileSync("/proc/self/setgroups", "utf8").trim() === "allow";
}

/** @returns {{ prefix: string[] } | { reason: string }} the words to put before a command, or why the lab cannot run. */
export function labNamespaces() {
  if (process.platform !== "linux") return { reason: `network namespaces need Linux, and this is ${process.platform}` };
  const lacking = Object.keys(PROGRAMS).filter((name) => attempt(["sh", "-c", `command -v ${name}`]) !== undefined);
  if (lacking.length > 0) {
    const packages = [...new Set(lacking.map((name) => PROGRAMS[name]))].join(" ");
    return { reason: `${lacking.join(", ")} missing; on Debian: apt-get install ${packages}` };
  }
  const probe = ["sh", "-c", PROBE];
  if (isFullRoot() && attempt(probe) === undefined) return { prefix: [] };
  const uid = process.getuid() || 1000;
  const gid = process.getgid() || 1000;
  const prefix = [
    "unshare",
    "-U",
    `--map-user=${uid}`,
    `--map-group=${gid}`,
    "--keep-caps",
    "-nm",
    "sh",
    "-c",
    ENTER,
    "lab",
  ];
  const refusal = attempt([...prefix, ...probe]);
  return refusal === undefined
    ? { prefix }
    : { reason: `neither root nor a user namespace may build networks here: ${refusal}` };
}
