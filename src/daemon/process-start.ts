// What a process settles before it loads the rest of the program, because it cannot be settled later.

import { holdYoungGeneration } from "../io/young-generation.ts";

/** To be called once, before anything large is imported. */
export function prepareProcess(): void {
  // A command has to be loaded in any case; what it then needs of memory it takes when its work asks for it.
  holdYoungGeneration();
}
