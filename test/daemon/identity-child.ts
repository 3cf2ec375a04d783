// A process of its own that loads the identity of a state directory and prints it: several of them are started at once.

import { formatPeerId } from "../../src/crypto/peer-id.ts";
import { loadIdentity } from "../../src/daemon/identity-file.ts";

console.log(formatPeerId(loadIdentity(process.argv[2] as string).publicKey));
