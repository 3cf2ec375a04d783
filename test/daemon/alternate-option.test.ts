// What --alternate makes of one place to listen on.

import assert from "node:assert/strict";
import { test } from "node:test";
import { parseAlternateOption } from "../../src/daemon/alternate-option.ts";
import { formatHostPort } from "../../src/io/forward-target.ts";

const places = (host: string, port: number, ...given: string[]): string[] =>
  parseAlternateOption({ host, port }, given).map((place) => formatHostPort(place.host, place.port));

test("without an alternate there is the main place alone", () => {
  assert.deepEqual(places("0.0.0.0", 4700), ["0.0.0.0:4700"]);
});

test("another port is another place on the same address", () => {
  assert.deepEqual(places("0.0.0.0", 4700, "4701"), ["0.0.0.0:4700", "0.0.0.0:4701"]);
  assert.deepEqual(places("::", 4700, "4701"), ["[::]:4700", "[::]:4701"]);
});

test("another address with another port makes the four places of RFC 5780", () => {
  const square = ["192.0.2.1:4700", "192.0.2.2:4700", "192.0.2.1:4701", "192.0.2.2:4701"];
  assert.deepEqual(places("192.0.2.1", 4700, "192.0.2.2:4701"), square);
  assert.deepEqual(places("192.0.2.1", 4700, "4701", "192.0.2.2:4700"), square);
});

test("an address of all addresses goes with no other, in either place", () => {
  assert.throws(() => places("0.0.0.0", 4700, "192.0.2.2:4701"), /--listen has to name one/);
  assert.throws(() => places("192.0.2.1", 4700, "0.0.0.0:4701"), /--listen has to name one/);
});

test("places multiply, and are not to be many", () => {
  assert.equal(places("192.0.2.1", 1, "192.0.2.2:2", "3", "4").length, 8);
  assert.throws(() => places("192.0.2.1", 1, "192.0.2.2:2", "3", "4", "5"), /10 places.*at most 8/);
});
