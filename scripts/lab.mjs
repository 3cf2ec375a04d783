// `npm run lab`: installs and builds what is missing, then measures all pairs of NATs in the lab and prints a table of what was seen.
// Its options are those of scripts/lab-matrix.ts: `npm run lab -- --runs 1 --pairs port-restricted+symmetric`.

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { labNamespaces, labPath } from "./lab-namespaces.mjs";
import { fail, prepare, root } from "./prepare.mjs";

prepare();

const place = labNamespaces();
if (place.reason !== undefined) fail(`The lab cannot run here: ${place.reason}`);
const [program, ...args] = [
  ...place.prefix,
  process.execPath,
  join(root, "dist", "scripts", "lab-matrix.js"),
  ...process.argv.slice(2),
];
const result = spawnSync(program, args, { stdio: "inherit", env: { ...process.env, PATH: labPath } });
process.exit(result.status ?? 1);
