// `tunnel id`: prints this machine's peer id, which the other side lists with --allow.

import { formatPeerId } from "../crypto/peer-id.ts";
import type { CommandContext } from "./command.ts";
import { loadIdentity } from "./identity-file.ts";
import { stateDirectoryPath } from "./state-directory.ts";

/** Makes the identity on first run. @throws OperatingError */
export async function runId({ env, output }: CommandContext): Promise<void> {
  const peerId = formatPeerId(loadIdentity(stateDirectoryPath(env)).publicKey);
  output.event({ event: "id", peerId }, peerId);
}
