// --resume-timeout of `expose` and `connect`: how long an outage the streams outlive. Of two sides the shorter time holds for both.

import { IDLE_TIMEOUT_MS, RESUME_TIMEOUT_MS_MAX, RESUME_TIMEOUT_MS_MIN } from "../base/limits.ts";
import { UsageError } from "./usage-error.ts";

const UNITS_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000 };

/** @param text "90s", "10m", "2h", or seconds. @returns ms. @throws UsageError */
export function parseResumeOption(text: string | undefined): number {
  if (text === undefined) return IDLE_TIMEOUT_MS;
  const [, digits, unit = "s"] = /^(\d{1,6})([smh])?$/.exec(text) ?? [];
  const ms = Number(digits) * (UNITS_MS[unit] ?? Number.NaN);
  if (ms >= RESUME_TIMEOUT_MS_MIN && ms <= RESUME_TIMEOUT_MS_MAX) return ms;
  throw new UsageError(
    `--resume-timeout ${text} cannot be used; expected a time from 1m to 24h, such as 90s, 10m or 2h`,
  );
}
