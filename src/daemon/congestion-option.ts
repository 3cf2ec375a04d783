// --congestion of `expose` and `connect`: the congestion controller of what this side sends.

import { CONGESTION_DEFAULT, type CongestionName, congestionControllers } from "../transport/congestion-choice.ts";
import { oneOf, UsageError } from "./usage-error.ts";

/** @throws UsageError */
export function parseCongestionOption(text: string | undefined): CongestionName {
  const name = text ?? CONGESTION_DEFAULT;
  if (Object.hasOwn(congestionControllers, name)) return name as CongestionName;
  throw new UsageError(`--congestion ${name} is not known; expected ${oneOf(Object.keys(congestionControllers))}`);
}
