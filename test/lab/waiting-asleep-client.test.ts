// The client's agent sleeps: see agent-asleep.ts.

import { asleepTest } from "./agent-asleep.ts";

asleepTest("client");
