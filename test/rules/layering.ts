// Imports point only from right to left:
//
//   base ← wire, crypto ← transport | traversal | rendezvous ← tunnel ← io ← daemon ← cmd
//
// and a pure layer imports no package, but for the cryptographic ones in crypto.

import { importsOf, packageOf } from "./module-import.ts";
import { isTypeScript, type SourceFile, type Violation } from "./source-file.ts";

/** Each layer with those that it may import, besides itself. */
const LAYERS = new Map<string, readonly string[]>([
  ["base", []],
  ["wire", ["base"]],
  ["crypto", ["base"]],
  ["transport", ["base", "wire", "crypto"]],
  ["traversal", ["base", "wire"]],
  ["rendezvous", ["base", "wire", "crypto", "transport"]],
  ["tunnel", ["base", "wire", "crypto", "transport", "traversal", "rendezvous"]],
  ["io", ["base", "wire", "crypto", "transport", "traversal", "rendezvous", "tunnel"]],
  ["daemon", ["base", "wire", "crypto", "transport", "traversal", "rendezvous", "tunnel", "io"]],
  ["cmd", ["daemon"]],
]);

/** The layers that are pure state machines: everything up to and including tunnel. */
export const pureLayers = ["base", "wire", "crypto", "transport", "traversal", "rendezvous", "tunnel"] as const;

/**
 * koffi, which calls node's OpenSSL, and sodium-native are optional, and only `createRequire` loads an optional package without
 * a promise.
 */
const CRYPTO_PACKAGES = new Set(["node:crypto", "node:module", "tweetnacl", "koffi", "sodium-native"]);

/** @returns the layer of a path, or undefined for tests, scripts and whatever lies beside the layers. */
export function layerOf(path: string): string | undefined {
  if (path.startsWith("cmd/")) return "cmd";
  return /^src\/([^/]+)\//.exec(path)?.[1];
}

function packageViolation(layer: string, specifier: string): string | undefined {
  if (!(pureLayers as readonly string[]).includes(layer)) return undefined;
  if (layer === "crypto" && CRYPTO_PACKAGES.has(packageOf(specifier))) return undefined;
  return `imports ${specifier}, but ${layer} is pure: let the io layer pass in what it is needed for`;
}

function fileViolation(layer: string, target: string): string | undefined {
  const targetLayer = layerOf(target);
  if (targetLayer === layer || LAYERS.get(layer)?.includes(targetLayer ?? "")) return undefined;
  return `imports ${target}, but ${layer} may import only ${[layer, ...(LAYERS.get(layer) ?? [])].join(", ")}`;
}

/** @returns every import that points the wrong way. */
export function layeringViolations(files: readonly SourceFile[]): Violation[] {
  return files
    .filter((file) => /^(cmd|src)\//.test(file.path) && isTypeScript(file.path))
    .flatMap((file) => {
      const layer = layerOf(file.path);
      if (layer === undefined || !LAYERS.has(layer)) {
        return [{ path: file.path, message: "lies in no layer: move it into one of the folders of src" }];
      }
      return importsOf(file).flatMap((item) => {
        const message =
          item.file === undefined ? packageViolation(layer, item.specifier) : fileViolation(layer, item.file);
        return message === undefined ? [] : [{ path: file.path, message }];
      });
    });
}
