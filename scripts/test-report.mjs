// Reads what `node --test` reports in TAP (https://testanything.org): how many tests passed, failed and were skipped,
// the names and reasons of the skipped ones, and of the failed ones what was reported of each.

const COUNTS = { pass: "passed", fail: "failed", cancelled: "failed", skipped: "skipped", todo: "skipped" };

/** Of a failed test, which may report a whole file, so many lines are kept: its place, its error and the top of its stack. */
const FAILURE_LINES_MAX = 40;

/**
 * @param {string} tap the whole report
 * @returns {{ passed: number, failed: number, skipped: number, skips: string[], failures: string[] } | undefined} undefined
 *   where the report has no summary, because the runner died before it wrote one
 */
export function readReport(tap) {
  const report = { passed: 0, failed: 0, skipped: 0, skips: [], failures: [] };
  let complete = false;
  const lines = tap.split("\n");
  for (const [index, line] of lines.entries()) {
    const count = /^# (\w+) (\d+)$/.exec(line);
    const field = count === null ? undefined : COUNTS[count[1]];
    if (field !== undefined) {
      report[field] += Number(count[2]);
      complete = true;
    }
    const skip = /^\s*(?:not )?ok \d+ - (.*?) # (?:SKIP|TODO) ?(.*)$/.exec(line);
    if (skip !== null) report.skips.push(skip[2] === "" ? skip[1] : `${skip[1]}: ${skip[2]}`);
    else if (/^\s*not ok \d+ - /.test(line)) report.failures.push(failureAt(lines, index));
  }
  return complete ? report : undefined;
}

/** @returns the name of the test that failed in this line, and the block below it that says how. */
function failureAt(lines, index) {
  const end = lines.findIndex((line, at) => at > index && line.trim() === "...");
  const block = lines.slice(index + 1, end === -1 ? index + 1 : end).filter((line) => line.trim() !== "---");
  return [lines[index].trim(), ...block.slice(0, FAILURE_LINES_MAX)].join("\n");
}
