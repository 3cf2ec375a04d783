// dumbpipe, TCP over iroh's QUIC. It meets its peer through relays of its makers' on the internet and no others, which a lab does not
// reach: so it is spared the hole punching by a port forward for UDP in the service's router, and by a ticket that names the
// router's address. The data then take the way that they would take once the hole is punched.

import { decodeBase32, encodeBase32 } from "../../src/base/base32.ts";
import type { LabNode } from "../../test/lab/topology.ts";
import { type CargoProgram, cargoProgram } from "./cargo-program.ts";
import { type BenchLab, type Contender, READY_TIMEOUT_MS, SERVICE_PORT } from "./contender.ts";
import { forwardPort, listens } from "./plain-tcp.ts";

const DUMBPIPE: CargoProgram = { name: "dumbpipe", version: "0.40.1", options: ["--locked"] };
const UDP_PORT = 4800;
const LOCAL_PORT = 4700;
/** Before the base32 of a ticket. */
const PREFIX = "endpoint";
/** The ticket's variant, and the public key behind it. */
const ID_BYTES = 1 + 32;

/**
 * A ticket is its variant, a public key, and a list of addresses in postcard's encoding: their number, then of each its kind (1: IP),
 * its family (0: IPv4), four bytes, and the port in groups of seven bits, the lowest first.
 * @returns the ticket with one address in the place of its own.
 */
function readdress(ticket: string, { address }: LabNode, port: number): string {
  const bytes = decodeBase32(ticket.slice(PREFIX.length));
  if (!ticket.startsWith(PREFIX) || bytes === undefined || bytes.length < ID_BYTES || bytes[0] !== 0) {
    throw new Error(`its ticket is not understood: ${ticket}`);
  }
  const portBytes = [(port & 127) | 128, ((port >> 7) & 127) | 128, port >> 14];
  const place = [1, 1, 0, ...address.split(".").map(Number), ...portBytes];
  return PREFIX + encodeBase32(Uint8Array.from([...bytes.subarray(0, ID_BYTES), ...place]));
}

export async function startDumbpipe(lab: BenchLab, mayBuild: boolean): Promise<Contender> {
  const program = cargoProgram(DUMBPIPE, mayBuild);
  const { A, B } = lab.sites;
  await forwardPort(lab, UDP_PORT, "udp");
  const own = ["--ipv4-addr", `0.0.0.0:${UDP_PORT}`];
  const listen = [program, "listen-tcp", "--host", `127.0.0.1:${SERVICE_PORT}`, ...own];
  const server = lab.spawn(A.host, listen, { title: "dumbpipe listen-tcp" });
  // Both sides wait for a relay first, for 5 s, and go on without one.
  const told = await server.waitForLine(/^dumbpipe connect-tcp /, READY_TIMEOUT_MS);
  const ticket = readdress(told.split(" ").at(-1) as string, A.outerRouter, UDP_PORT);
  const connect = [program, "connect-tcp", "--addr", `127.0.0.1:${LOCAL_PORT}`, ticket];
  const client = lab.spawn(B.host, connect, { title: "dumbpipe connect-tcp" });
  await listens(lab, client, LOCAL_PORT);
  return {
    name: "dumbpipe",
    lab,
    client: B.host,
    host: "127.0.0.1",
    port: LOCAL_PORT,
    processes: [
      { role: "client", pid: client.pid },
      { role: "server", pid: server.pid },
    ],
    description: `dumbpipe ${DUMBPIPE.version}, over iroh's QUIC, a connection of its own for each TCP connection; through the same two NATs, but by a port forward in the service's router instead of a punched hole, since it knows no relay other than its makers'`,
  };
}
