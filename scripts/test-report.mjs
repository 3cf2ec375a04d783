// Reads what `node --test` reports in TAP (https://testanything.org): how many tests passed, failed and were skipped,
// and the names and reasons of the skipped ones.

const COUNTS = { pass: "passed", fail: "failed", cancelled: "failed", skipped: "skipped", todo: "skipped" };

/**
 * @param {string} tap the whole report
 * @returns {{ passed: number, failed: number, skipped: number, skips: string[] } | undefined} undefined where the report
 *   has no summary, because the runner died before it wrote one
 */
export function readReport(tap) {
  const report = { passed: 0, failed: 0, skipped: 0, skips: [] };
  let complete = false;
  for (const line of tap.split("\n")) {
    const count = /^# (\w+) (\d+)$/.exec(line);
    const field = count === null ? undefined : COUNTS[count[1]];
    if (field !== undefined) {
      report[field] += Number(count[2]);
      complete = true;
    }
    const skip = /^\s*(?:not )?ok \d+ - (.*?) # (?:SKIP|TODO) ?(.*)$/.exec(line);
    if (skip !== null) report.skips.push(skip[2] === "" ? skip[1] : `${skip[1]}: ${skip[2]}`);
  }
  return complete ? report : undefined;
}
