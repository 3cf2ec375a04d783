// The keys of the rendezvous that were met by their address alone: believed the first time, and held to from then on, as ssh
// does with hosts. One small file a rendezvous, so that processes do not write over each other and a person can remove one.

import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { formatPeerId, parsePeerId } from "../crypto/peer-id.ts";
import { formatHostAndPort, type HostAndPort } from "../crypto/rendezvous-address.ts";
import { equalBytes } from "../crypto/secret.ts";
import { createFile } from "./atomic-file.ts";
import { stateError } from "./state-directory.ts";
import { OperatingError, systemCode } from "./usage-error.ts";

export class RendezvousPins {
  private readonly directory: string;

  constructor(stateDirectory: string) {
    this.directory = join(stateDirectory, "rendezvous-pins");
  }

  /** @returns the Ed25519 key pinned for this address, or undefined. @throws OperatingError where the pin cannot be read. */
  get(place: HostAndPort): Uint8Array | undefined {
    const path = this.pathOf(place);
    let text: string;
    try {
      text = readFileSync(path, "utf8");
    } catch (error) {
      if (systemCode(error) === "ENOENT") return undefined;
      throw stateError(path, error);
    }
    const [address, id] = text.trim().split(" ");
    const publicKey = address === formatHostAndPort(place) ? parsePeerId(id ?? "") : undefined;
    if (publicKey === undefined) {
      throw new OperatingError(
        "state-damaged",
        `${path} is damaged: expected "host:port id". Remove it to have the key of ${formatHostAndPort(place)} believed again: rm ${path}`,
      );
    }
    return publicKey;
  }

  /** Pins the key, unless one is pinned. @returns the key that holds now. @throws OperatingError */
  pin(place: HostAndPort, publicKey: Uint8Array): Uint8Array {
    const path = this.pathOf(place);
    try {
      mkdirSync(this.directory, { recursive: true, mode: 0o700 });
      if (createFile(path, `${formatHostAndPort(place)} ${formatPeerId(publicKey)}\n`)) return publicKey;
    } catch (error) {
      throw stateError(path, error);
    }
    return this.get(place) ?? publicKey;
  }

  /** @returns what to tell a person whose rendezvous shows another key than the pinned one. */
  changed(place: HostAndPort, pinned: Uint8Array, shown: Uint8Array): OperatingError {
    const address = formatHostAndPort(place);
    const why = equalBytes(pinned, shown)
      ? ""
      : ` It now shows ${formatPeerId(shown)}, expected ${formatPeerId(pinned)}.`;
    return new OperatingError(
      "rendezvous-key-changed",
      `the key of the rendezvous ${address} has changed, so it is not used.${why} Somebody may be posing as it; if you know that it was set up anew, forget the old key: rm ${this.pathOf(place)}`,
    );
  }

  private pathOf(place: HostAndPort): string {
    return join(this.directory, formatHostAndPort(place).replaceAll(/[^a-z0-9.-]/g, "_"));
  }
}
