// `npm run bench`: installs and builds what is missing, then runs the benchmark where it may build its networks, as root or inside a
// user namespace. `npm run bench -- --quick` takes two minutes instead of ten, and builds nothing; `--save` writes scripts/bench/RESULTS.md.
// `--only TEXT` takes the measurements whose name has the text in it, `--of TEXT` the contenders, and the tunnel; both may be repeated.
// With `--links` it is the emulated links that are measured, scripts/bench/link-bench.ts, and LINKS.md that is written.

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { labNamespaces, labPath } from "./lab-namespaces.mjs";
import { fail, prepare, root } from "./prepare.mjs";

prepare();

const place = labNamespaces();
if (place.reason !== undefined) fail(`The benchmark needs network namespaces: ${place.reason}`);
const words = process.argv.slice(2);
const script = words.includes("--links") ? "link-bench.js" : "bench.js";
const bench = join(root, "dist", "scripts", "bench", script);
const [program, ...args] = [...place.prefix, process.execPath, bench, ...words];
const result = spawnSync(program, args, { cwd: root, stdio: "inherit", env: { ...process.env, PATH: labPath } });
process.exit(result.status ?? 1);
