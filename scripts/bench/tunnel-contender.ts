// The program itself: rendezvous, `expose` and `connect` as a user starts them, on the direct path between two home
// routers, or on the relay between two symmetric NATs, where there is no direct path.

import { LabTunnel, pathEvent } from "../../test/lab/lab-tunnel.ts";
import { type BenchLab, type Contender, READY_TIMEOUT_MS, SERVICE_PORT } from "./contender.ts";

const LOCAL_PORT = 4000;

/** A contender, and the programs behind it, so that more may be started beside them. */
export interface TunnelContender extends Contender {
  readonly tunnel: LabTunnel;
}

export async function startTunnel(lab: BenchLab, via: "direct" | "relay"): Promise<TunnelContender> {
  const tunnel = new LabTunnel(lab);
  const rendezvous = await tunnel.startRendezvous();
  const exposed = await tunnel.expose(SERVICE_PORT);
  const connected = await tunnel.connect(exposed.ticket, LOCAL_PORT);
  await pathEvent(connected.process, via, READY_TIMEOUT_MS);
  const kind = via === "direct" ? "port-restricted" : "symmetric";
  return {
    name: via === "direct" ? "tunnel" : "tunnel, relayed",
    lab,
    client: lab.sites.B.host,
    host: "127.0.0.1",
    port: LOCAL_PORT,
    processes: [
      { role: "connect", pid: connected.process.pid },
      { role: "expose", pid: exposed.process.pid },
      { role: "rendezvous", pid: rendezvous.pid },
    ],
    description: `this program on the ${via === "direct" ? "direct path" : "relay"} between two ${kind} NATs`,
    doubt: () => {
      const last = connected.process.events.filter((event) => event.event === "path").at(-1)?.fields.via;
      return last === via ? undefined : `it was on the ${last} path at the end`;
    },
    tunnel,
  };
}
