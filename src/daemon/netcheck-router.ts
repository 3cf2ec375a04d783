// Whether the routers of this machine map a port when they are asked, by which protocol, and if not, why. What they map is given back.

import { formatSocketAddress } from "../base/address.ts";
import { NETCHECK_ROUTER_MS } from "../base/limits.ts";
import { type RouterPlace, routerPlaces } from "../io/default-gateway.ts";
import { type MappingOutcome, RouterMapping } from "../io/router-mapping.ts";
import { openUdpSocket } from "../io/udp-socket.ts";
import { type CommandContext, endByBug } from "./command.ts";
import type { RouterFacts } from "./netcheck-report.ts";

export async function askRouters(families: readonly (4 | 6)[], context: CommandContext): Promise<RouterFacts[]> {
  // A port of its own: one that is mapped behaves like no other, and would spoil what is measured meanwhile.
  const socket = await openUdpSocket({ log: context.log });
  const facts = await Promise.all(routerPlaces(families).map((place) => askRouter(place, socket.localPort, context)));
  socket.close();
  return facts;
}

async function askRouter(place: RouterPlace, port: number, { log, output }: CommandContext): Promise<RouterFacts> {
  let mapping: RouterMapping | undefined;
  let timer: NodeJS.Timeout | undefined;
  const outcome = await new Promise<MappingOutcome>((resolve) => {
    timer = setTimeout(() => resolve({ reason: "silent", message: "it does not answer" }), NETCHECK_ROUTER_MS);
    mapping = new RouterMapping({
      place,
      internalPort: port,
      log,
      onChange() {},
      onOutcome: resolve,
      onFault: (error) => endByBug(error, output.json),
    });
  });
  clearTimeout(timer);
  await mapping?.stop();
  const { gateway } = place;
  return "external" in outcome
    ? { gateway, protocol: outcome.protocol, external: formatSocketAddress(outcome.external), reason: null }
    : { gateway, protocol: null, external: null, reason: outcome.reason };
}
