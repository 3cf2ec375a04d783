// What an agent's client of a rendezvous is made of.

import type { Log } from "../base/log.ts";
import type { Random } from "../base/random.ts";
import type { RouteTable } from "../base/route.ts";
import type { Endpoint } from "../transport/endpoint.ts";

export interface RendezvousClientConfig {
  readonly endpoint: Endpoint;
  readonly routes: RouteTable;
  readonly random: Random;
  readonly log: Log;
}
