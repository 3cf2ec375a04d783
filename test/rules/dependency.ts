// What the program imports is among what package.json says it depends on: a package that is only there for the tests is
// missing where the program is installed.

import { importsOf, packageOf } from "./module-import.ts";
import { isTypeScript, type SourceFile, type Violation } from "./source-file.ts";

interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

/** @returns every import of a package that an installation does not have. */
export function dependencyViolations(files: readonly SourceFile[]): Violation[] {
  const manifest = JSON.parse(files.find((file) => file.path === "package.json")?.text ?? "{}") as Manifest;
  const declared = new Set(Object.keys({ ...manifest.dependencies, ...manifest.optionalDependencies }));
  return files
    .filter((file) => /^(cmd|src)\//.test(file.path) && isTypeScript(file.path))
    .flatMap((file) =>
      importsOf(file)
        .filter((item) => item.file === undefined && !item.specifier.startsWith("node:"))
        .map((item) => packageOf(item.specifier))
        .filter((name) => !declared.has(name))
        .map((name) => ({ path: file.path, message: `imports ${name}, which an installation does not have` })),
    );
}
