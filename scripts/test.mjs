// `npm test`: installs and builds what is missing, then runs the formatter's check and every group of tests, and closes
// with what failed, told once more, and the sum over all of them. Words narrow it: group names choose groups, any other word
// chooses files by a part of their name (`npm test -- unit`, `npm test -- lab nat`). With CI=true a test that is left out is a failure.

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { basename, join } from "node:path";
import { labNamespaces, labPath } from "./lab-namespaces.mjs";
import { compiledTests, fail, prepare, root } from "./prepare.mjs";
import { readReport } from "./test-report.mjs";

const cores = availableParallelism();

/**
 * In the order in which they run. The limit is for what hangs; it holds for a whole file as well, and at a load of 14 some were seen
 * to take more than two minutes. A group without folders has what the others leave. Of the lab what mostly waits, for outages to end,
 * routers to forget and slow transfers, goes first and side by side, each in a lab of its own; the rest is timed, and has the machine for itself.
 */
const GROUPS = [
  { name: "unit", parallel: cores, limitSeconds: 300 },
  { name: "rules", folder: "rules", parallel: cores, limitSeconds: 300 },
  { name: "sim", folder: "sim", parallel: cores, limitSeconds: 600 },
  { name: "apps", folder: "apps", parallel: cores, limitSeconds: 300 },
  { name: "lab", folder: "lab", parallel: 1, limitSeconds: 300, inNamespaces: true, waiting: { parallel: 4 } },
];

const total = { passed: 0, failed: 0, skipped: 0 };
const leftOut = [];
const failures = [];

const say = (line) => process.stdout.write(`${line}\n`);
const plural = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;

function checkFormat() {
  say("\n== format: biome check");
  const biome = join(root, "node_modules", "@biomejs", "biome", "bin", "biome");
  const result = spawnSync(process.execPath, [biome, "check", "."], { cwd: root, stdio: ["ignore", 1, 2] });
  if (result.status === 0) total.passed++;
  else total.failed++;
}

function filesOf(group, tests, words) {
  const folders = GROUPS.map((g) => g.folder).filter((folder) => folder !== undefined);
  const folderOf = (path) => path.split("/")[0];
  return tests
    .filter((path) => (group.folder ? folderOf(path) === group.folder : !folders.includes(folderOf(path))))
    .filter((path) => words.length === 0 || words.some((word) => path.includes(word)))
    .map((path) => `dist/test/${path}`);
}

/** @returns what runs at once, one after the other: what waits, and the rest; none without a file, for which node would run all it finds. */
function turnsOf(group, files) {
  const isWaiting = (file) => group.waiting !== undefined && basename(file).startsWith("waiting-");
  return [
    { ...group, ...group.waiting, files: files.filter(isWaiting) },
    { ...group, files: files.filter((file) => !isWaiting(file)) },
  ].filter((turn) => turn.files.length > 0);
}

function runTurn({ files, ...group }) {
  const pace = group.parallel > 1 ? `, ${group.parallel} at a time` : "";
  say(`\n== ${group.name}: ${plural(files.length, "file")}${pace}`);
  const place = group.inNamespaces ? labNamespaces() : { prefix: [] };
  if (place.reason !== undefined) {
    say(`left out: ${place.reason}`);
    for (const file of files) leftOut.push(`${file}: ${place.reason}`);
    total.skipped += files.length;
    return;
  }
  const scratch = mkdtempSync(join(tmpdir(), "tunnel-test-"));
  const report = join(scratch, "report.tap");
  const [program, ...args] = [
    ...place.prefix,
    process.execPath,
    "--test",
    `--test-concurrency=${group.parallel}`,
    `--test-timeout=${group.limitSeconds * 1000}`,
    "--test-reporter=spec",
    "--test-reporter-destination=stdout",
    "--test-reporter=tap",
    `--test-reporter-destination=${report}`,
    ...files,
  ];
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const options = { cwd: root, stdio: ["ignore", 1, 2], env: { ...env, PATH: labPath } };
  const result = spawnSync(program, args, options);
  const counts = readReport(readOrEmpty(report));
  rmSync(scratch, { recursive: true });
  if (counts === undefined) {
    say(`the test runner ended without a summary (${result.signal ?? `exit code ${result.status}`})`);
    total.failed++;
    return;
  }
  total.passed += counts.passed;
  total.failed += counts.failed;
  total.skipped += counts.skipped;
  leftOut.push(...counts.skips.map((skip) => `${group.name}: ${skip}`));
  failures.push(...counts.failures.map((failure) => `${group.name}: ${failure}`));
  // The runner's own verdict counts too, should it ever know of something that its summary does not.
  if (result.status !== 0 && counts.failed === 0) total.failed++;
}

function readOrEmpty(path) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

prepare();

const given = process.argv.slice(2);
const chosen = ["format", ...GROUPS.map((group) => group.name)].filter((name) => given.includes(name));
const words = given.filter((word) => !chosen.includes(word));
const isChosen = (name) => chosen.length === 0 || chosen.includes(name);

if (isChosen("format") && words.length === 0) checkFormat();
const tests = compiledTests();
let filesRun = 0;
for (const group of GROUPS.filter((g) => isChosen(g.name))) {
  const files = filesOf(group, tests, words);
  filesRun += files.length;
  for (const turn of turnsOf(group, files)) runTurn(turn);
}
if (words.length > 0 && filesRun === 0)
  fail(`No test file has ${words.map((word) => `"${word}"`).join(" or ")} in its name.`);

if (leftOut.length > 0) say(`\n== left out\n${leftOut.join("\n")}`);
const strict = process.env.CI === "true" && leftOut.length > 0;
if (strict) say("\nWith CI=true nothing may be left out.");
if (failures.length > 0) say(`\n== failed\n${failures.join("\n")}`);
say(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exit(total.failed > 0 || strict ? 1 : 0);
