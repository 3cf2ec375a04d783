// The last step of `npm run build`: puts the program together in a few files, dist/cmd/tunnel.js and dist/program, with the packages that are
// plain JavaScript in them. `tunnel expose` consists of some 340 files, and to find, read and link one costs Node a millisecond;
// together they start in half the time. And what is installed has the very packages in it that it was tested with.
// The tests of a single part use what the compiler has written beside it.

import { chmodSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { root } from "./prepare.mjs";

const folder = join(root, "dist", "program");

/** What packages that are not written for ES modules load with. Of Node's own modules they have no other way. */
const REQUIRE =
  'import { createRequire as createRequireOfChunk } from "node:module"; const require = createRequireOfChunk(import.meta.url);';

/** @param inputs paths of files. @returns the licence of each package that they are of, one behind the other. */
function licences(inputs) {
  const packages = new Set(inputs.map((path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0]));
  packages.delete(undefined);
  return [...packages].sort().map((path) => {
    const { name, version, license } = JSON.parse(readFileSync(join(root, path, "package.json"), "utf8"));
    const file = readdirSync(join(root, path)).find((entry) => /^licen[cs]e/i.test(entry));
    const text = file === undefined ? "" : readFileSync(join(root, path, file), "utf8").trim();
    return `${name} ${version}: ${license}\n\n${text}\n`;
  });
}

/**
 * For the help, which is plain ASCII: to measure its columns `string-width` first gathers all that Unicode knows of the widths of
 * characters, which took 75 of the 410 ms until `expose` was ready.
 */
const plainWidth = {
  name: "plain-width",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^string-width$/ }, () => ({ path: "string-width", namespace: "plain-width" }));
    onLoad({ filter: /./, namespace: "plain-width" }, () => ({ contents: "export default (text) => text.length;" }));
  },
};

rmSync(folder, { recursive: true, force: true });
const { metafile } = await build({
  absWorkingDir: root,
  entryPoints: { "cmd/tunnel": "cmd/tunnel.ts" },
  outdir: "dist",
  chunkNames: "program/[name]-[hash]",
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "node20.19",
  sourcemap: true,
  sourcesContent: false,
  banner: { js: REQUIRE },
  plugins: [plainWidth],
  metafile: true,
  logLevel: "warning",
});
writeFileSync(join(folder, "LICENCES"), licences(Object.keys(metafile.inputs)).join(`\n${"-".repeat(80)}\n\n`));
chmodSync(join(root, "dist", "cmd", "tunnel.js"), 0o755);
