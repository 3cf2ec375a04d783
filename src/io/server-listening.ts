// Has a server of Node's listen: what goes wrong before it does is the caller's to handle, what goes wrong later ends nothing.

import type { ListenOptions, Server } from "node:net";

/**
 * Resolves once the server listens.
 * @param onError takes what goes wrong from then on, such as a connection that could not be accepted.
 * @throws the error of the system, with its `code`.
 */
export function startListening(server: Server, options: ListenOptions, onError: (error: Error) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(options, () => {
      server.off("error", reject);
      server.on("error", onError);
      resolve();
    });
  });
}
