// What may be said about a mapping from what was seen of it, and what not.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseSocketAddress } from "../../src/base/address.ts";
import { judgeMapping } from "../../src/traversal/mapping-verdict.ts";

type Seen = readonly [server: string, mapped: string];

const judge = (...seen: readonly Seen[]) =>
  judgeMapping(
    seen.map(([server, mapped]) => ({ server: parseSocketAddress(server)!, mapped: parseSocketAddress(mapped)! })),
  );

const [A, B] = ["203.0.113.1:1000", "203.0.113.1:1001"] as const;
const ANOTHER_HOST = "203.0.113.2:1000";

test("nothing is said of nothing, nor of one server alone", () => {
  assert.match(judge().note ?? "", /no server answered/);
  assert.match(judge(["192.0.2.1:1", A]).note ?? "", /it takes two/);
  assert.equal(judge(["192.0.2.1:1", A], ["192.0.2.1:1", A]).value, undefined);
});

test("one view from two addresses is endpoint-independent", () => {
  assert.deepEqual(judge(["192.0.2.1:1", A], ["192.0.2.2:1", A]), { value: "endpoint-independent" });
});

test("one view from two ports of one address makes likely what other addresses would have to show", () => {
  const { value, note, likely } = judge(["192.0.2.1:1", A], ["192.0.2.1:2", A]);
  assert.deepEqual([value, likely], [undefined, "endpoint-independent"]);
  assert.match(note ?? "", /two addresses/);
});

test("two views from one address depend on the port, whatever else is seen", () => {
  const pair: Seen[] = [
    ["192.0.2.1:1", A],
    ["192.0.2.1:2", B],
  ];
  assert.deepEqual(judge(...pair), { value: "address-and-port-dependent" });
  assert.deepEqual(judge(...pair, ["192.0.2.2:1", A]), { value: "address-and-port-dependent" });
});

test("two views from two addresses depend on the address; on the port only perhaps, unless two ports agree", () => {
  const pair: Seen[] = [
    ["192.0.2.1:1", A],
    ["192.0.2.2:1", B],
  ];
  assert.equal(judge(...pair).value, "address-dependent");
  assert.match(judge(...pair).note ?? "", /perhaps/);
  assert.deepEqual(judge(...pair, ["192.0.2.2:2", B]), { value: "address-dependent" });
});

test("another host outside is another view, even with the same port", () => {
  assert.equal(judge(["192.0.2.1:1", A], ["192.0.2.2:1", ANOTHER_HOST]).value, "address-dependent");
});

test("a view that changes while it is looked at is no basis for anything", () => {
  const { value, note } = judge(["192.0.2.1:1", A], ["192.0.2.2:1", A], ["192.0.2.1:1", B]);
  assert.equal(value, undefined);
  assert.match(note ?? "", /changed/);
});

test("neither the order nor repetition of what was seen matters", () => {
  const server = fc.constantFrom("192.0.2.1:1", "192.0.2.1:2", "192.0.2.2:1", "192.0.2.2:2");
  const seen = fc.array(fc.tuple(server, fc.constantFrom(A, B, ANOTHER_HOST)), { maxLength: 6 });
  fc.assert(
    fc.property(seen, fc.func(fc.integer()), (list, order) => {
      const shuffled = [...list, ...list].sort((a, b) => order(a.join()) - order(b.join()));
      assert.deepEqual(judge(...shuffled), judge(...list));
    }),
  );
});
