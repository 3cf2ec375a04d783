// The benchmark: builds two labs, sets every contender up in them, and measures them in turn, round after round, until the rounds
// or the time are used up. Progress goes to stderr, the report to stdout or a file.
//
//   A ── NAT ──┬── NAT ── B        the labs differ in their NATs: port-restricted ones let a direct path through,
//              │                   symmetric ones leave the relay only
//          rendezvous

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Lab } from "../../test/lab/lab.ts";
import { type BenchLab, type Contender, type LeftOut, READY_TIMEOUT_MS, SERVICE_PORT } from "./contender.ts";
import { startDumbpipe } from "./dumbpipe-contender.ts";
import { startFrp } from "./frp-contender.ts";
import { startHyperdht } from "./hyperdht-contender.ts";
import { measureIdle } from "./idle-usage.ts";
import { describeMachine, describeUnrest } from "./machine-description.ts";
import { idleMemory, type LoadTimes, measurements } from "./measurement.ts";
import { startPlainTcp } from "./plain-tcp.ts";
import { startRathole } from "./rathole-contender.ts";
import { writeReport } from "./report.ts";
import { Results } from "./results.ts";
import { startSshForward } from "./ssh-forward.ts";
import { measureStartUp } from "./start-up-times.ts";
import { startTunnel, type TunnelContender } from "./tunnel-contender.ts";
import { startWireguard } from "./wireguard-contender.ts";

interface Plan {
  /** For all that is measured; to set up and to build take their time before. */
  readonly limitMs: number;
  readonly roundsMax: number;
  readonly startsOfAKind: number;
  readonly idleMs: number;
  readonly idleRounds: number;
  readonly times: LoadTimes;
}

const full: Plan = {
  limitMs: 540_000,
  roundsMax: 5,
  startsOfAKind: 7,
  idleMs: 20_000,
  idleRounds: 2,
  times: { warmUpMs: 400, bulkMs: 1200, roundTripsMs: 1200, connectionsMs: 1200 },
};
const quick: Plan = {
  limitMs: 90_000,
  roundsMax: 2,
  startsOfAKind: 3,
  idleMs: 5000,
  idleRounds: 1,
  times: { warmUpMs: 200, bulkMs: 500, roundTripsMs: 400, connectionsMs: 500 },
};
/** Between two loads, for what is still on its way. */
const PAUSE_MS = 150;
/** What agents do after a start, such as measuring their NAT, is over by then. */
const SETTLE_MS = 3000;
const IDLE = "idle";
const START = "start";
const WARM_UP: LoadTimes = { warmUpMs: 100, bulkMs: 700, roundTripsMs: 200, connectionsMs: 200 };

const { values: options } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    save: { type: "boolean", default: false },
    only: { type: "string", multiple: true, default: [] },
    of: { type: "string", multiple: true, default: [] },
  },
});
const isChosen = (name: string, words: readonly string[]): boolean =>
  words.length === 0 || words.some((word) => name.toLowerCase().includes(word.toLowerCase()));
const isMeasured = (name: string): boolean => isChosen(name, options.only);
const chosen = measurements.filter(({ name }) => isMeasured(name));
/** A part of the whole is no result to be kept. */
const isPart = options.only.length > 0 || options.of.length > 0;
const plan = options.quick ? quick : full;
const startMs = performance.now();
const elapsedMs = (): number => performance.now() - startMs;
const say = (text: string): void => {
  process.stderr.write(`${(elapsedMs() / 1000).toFixed(0).padStart(4)} s  ${text}\n`);
};

const machine = describeMachine();
const unrest = describeUnrest();
/** How busy the machine was with other things while nothing was measured but idleness. */
const busyElsewhere: number[] = [];
const results = new Results();
const contenders: Contender[] = [];
const leftOut: LeftOut[] = [];
const downloads = mkdtempSync(join(tmpdir(), "tunnel-bench-"));

async function enter<T extends Contender>(name: string, start: () => Promise<T>): Promise<T | undefined> {
  // The tunnel is what all others are compared with.
  if (name !== "tunnel" && !isChosen(name, options.of)) return undefined;
  say(`setting up ${name}`);
  try {
    const contender = await start();
    contenders.push(contender);
    return contender;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    say(`left out: ${reason}`);
    leftOut.push({ name, reason: (reason.split("\n")[0] as string).slice(0, 200) });
    return undefined;
  }
}

async function serve(lab: BenchLab): Promise<void> {
  const program = fileURLToPath(new URL("./load-server.js", import.meta.url));
  const server = lab.spawn(lab.sites.A.host, [process.execPath, program, String(SERVICE_PORT)]);
  await server.waitForJson("ready", READY_TIMEOUT_MS);
}

const folderFor = (name: string): string => {
  const folder = join(downloads, name);
  mkdirSync(folder);
  return folder;
};

async function setUp(home: BenchLab, hard: BenchLab): Promise<TunnelContender | undefined> {
  await Promise.all([serve(home), serve(hard)]);
  const tunnel = await enter("tunnel", () => startTunnel(home, "direct"));
  await enter("tunnel, relayed", () => startTunnel(hard, "relay"));
  await enter("plain TCP", () => startPlainTcp(home));
  await enter("ssh -L", () => startSshForward(home));
  const hyperdht = folderFor("hyperdht");
  await enter("hyperdht", () => startHyperdht(home, hyperdht, "direct"));
  await enter("hyperdht, relayed", () => startHyperdht(hard, hyperdht, "relay"));
  await enter("rathole", () => startRathole(hard, folderFor("rathole"), !options.quick));
  await enter("dumbpipe", () => startDumbpipe(home, !options.quick));
  if (options.quick) {
    leftOut.push({ name: "frp, wireguard-go", reason: "they would have to be built, which --quick does not do" });
  } else {
    await enter("frp xtcp", () => startFrp(home, folderFor("frp")));
    await enter("wireguard-go", () => startWireguard(home, folderFor("wireguard")));
  }
  return tunnel;
}

/** @param round from 0. @returns false where the time ran out before its end. */
async function runRound(round: number, endMs: number): Promise<boolean> {
  for (const { name, run, isLong = false } of chosen) {
    if (isLong && round % 2 === 0) continue;
    say(`round ${round + 1}: ${name}`);
    for (const contender of contenders) {
      if (elapsedMs() > endMs) return false;
      // What failed once would fail again, and takes its whole time limit to do so.
      if (results.hasFailed(contender.name, name)) continue;
      try {
        const figures = await run(contender, plan.times);
        for (const [figure, value] of Object.entries(figures)) results.add(contender.name, figure, round, value);
      } catch (error) {
        const reason = (error as Error).message.split("\n")[0] as string;
        say(`${contender.name}: ${reason}`);
        results.fail(contender.name, name, reason);
      }
      await sleep(PAUSE_MS);
    }
  }
  return true;
}

async function measureAll(tunnel: TunnelContender | undefined): Promise<number> {
  const limitMs = elapsedMs() + plan.limitMs;
  await sleep(SETTLE_MS);
  for (const contender of contenders) {
    for (const [figure, value] of Object.entries(idleMemory(contender))) results.add(contender.name, figure, 0, value);
  }
  const measuresIdle = isMeasured(IDLE);
  if (measuresIdle) {
    say(IDLE);
    busyElsewhere.push(await measureIdle(contenders, plan.idleMs, 0, results));
  }
  if (tunnel !== undefined && isMeasured(START)) {
    say(START);
    await measureStartUp(tunnel, plan.startsOfAKind, results);
  }
  for (const { run } of measurements.slice(0, 2)) {
    for (const contender of contenders) await run(contender, WARM_UP).catch(() => {});
  }
  const idlesAgain = measuresIdle && plan.idleRounds > 1;
  const idleAtEndMs = !idlesAgain ? 0 : (plan.idleRounds - 1) * (plan.idleMs + SETTLE_MS);
  const endMs = limitMs - idleAtEndMs;
  let rounds = 0;
  let longestMs = 0;
  while (rounds < plan.roundsMax && (rounds < 2 || elapsedMs() + longestMs < endMs)) {
    const roundStartMs = elapsedMs();
    if (!(await runRound(rounds, endMs))) break;
    rounds++;
    longestMs = Math.max(longestMs, elapsedMs() - roundStartMs);
  }
  if (idlesAgain) {
    say(`${IDLE} again`);
    await sleep(SETTLE_MS);
    busyElsewhere.push(await measureIdle(contenders, plan.idleMs, 1, results));
  }
  return rounds;
}

const home = await Lab.create<"A" | "B">({ A: "port-restricted", B: "port-restricted" });
const hard = await Lab.create<"A" | "B">({ A: "symmetric", B: "symmetric" });
try {
  const tunnel = await setUp(home, hard);
  const rounds = await measureAll(tunnel);
  const words = process.argv.slice(2).filter((word) => word !== "--save");
  const command = ["npm run bench", ...(words.length > 0 ? ["--", ...words] : [])].join(" ");
  const shares = busyElsewhere.map((share) => `${(share * 100).toFixed(0)} %`).join(", ");
  if (shares !== "") machine.push(["processor in use by other programs, before and after the rounds", shares]);
  const report = writeReport({ results, contenders, leftOut, machine, unrest, rounds, command });
  // The script runs as dist/scripts/bench/bench.js; the results lie beside its source.
  const file = fileURLToPath(new URL("../../../scripts/bench/RESULTS.md", import.meta.url));
  if (options.save && !isPart) writeFileSync(file, report);
  else process.stdout.write(report);
  say(`${rounds} rounds`);
} finally {
  await home.destroy();
  await hard.destroy();
  rmSync(downloads, { recursive: true, force: true });
}
process.exit(0);
