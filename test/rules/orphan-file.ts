// A source file that nothing leads to is dead, however well it is tested: everything in src has to be reached from
// the command line or from a script, and every module beside a test from a test.

import { importsOf } from "./module-import.ts";
import { isTypeScript, type SourceFile, type Violation } from "./source-file.ts";

function reachedFrom(roots: readonly string[], imports: ReadonlyMap<string, readonly string[]>): Set<string> {
  const reached = new Set<string>();
  const open = [...roots];
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    if (reached.has(path)) continue;
    reached.add(path);
    open.push(...(imports.get(path) ?? []));
  }
  return reached;
}

/** A module that is started as a process of its own names itself in the text of the one that starts it. */
function startedBy(file: SourceFile, all: readonly SourceFile[]): string[] {
  const folder = file.path.replace(/[^/]+$/, "");
  return all
    .filter((other) => other.path.startsWith(folder) && other.path !== file.path)
    .filter((other) => file.text.includes(`"./${other.path.slice(folder.length).replace(/\.ts$/, ".js")}"`))
    .map((other) => other.path);
}

/** @returns every file of src that no command and no script reaches, and every file of test that no test reaches. */
export function orphanViolations(files: readonly SourceFile[]): Violation[] {
  const sources = files.filter((file) => isTypeScript(file.path));
  const imports = new Map(
    sources.map((file) => [
      file.path,
      [...importsOf(file).flatMap((item) => (item.file === undefined ? [] : [item.file])), ...startedBy(file, sources)],
    ]),
  );
  const paths = sources.map((file) => file.path);
  const live = reachedFrom(
    paths.filter((path) => /^(cmd|scripts)\//.test(path)),
    imports,
  );
  const tested = reachedFrom(
    paths.filter((path) => path.endsWith(".test.ts") || path.startsWith("scripts/")),
    imports,
  );
  return paths.flatMap((path) => {
    if (path.startsWith("src/") && !live.has(path)) {
      return [{ path, message: "is reached from no file of cmd or scripts: use it or delete it" }];
    }
    if (path.startsWith("test/") && !tested.has(path)) {
      return [{ path, message: "is reached from no test: use it or delete it" }];
    }
    return [];
  });
}
