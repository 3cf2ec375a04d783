// Who is meant by a peer and a selector.

import assert from "node:assert/strict";
import { test } from "node:test";
import { REGISTER_SELECTORS_MAX } from "../../src/base/limits.ts";
import { Registry, type RegistryEntry } from "../../src/rendezvous/registry.ts";

class FakeInstance implements RegistryEntry {
  readonly selectors = new Set<string>();
  readonly peerKey: string;
  readonly instanceKey: string;
  responsive = true;

  constructor(peerKey: string, instanceKey: string) {
    this.peerKey = peerKey;
    this.instanceKey = instanceKey;
  }
}

const asker = new FakeInstance("asker", "0");

test("a peer that is not here, and a selector that nobody registered, are told apart", () => {
  const registry = new Registry<FakeInstance>();
  assert.equal(registry.resolve("p", "s", asker), "peer-absent");
  registry.register(new FakeInstance("p", "1"), []);
  assert.equal(registry.resolve("p", "s", asker), "selector-absent");
});

test("an instance is reached by its id and by what it registered", () => {
  const registry = new Registry<FakeInstance>();
  const instance = new FakeInstance("p", "1");
  assert.deepEqual(registry.register(instance, ["s"]), ["1", "s"]);
  assert.equal(registry.resolve("p", "1", asker), instance);
  assert.equal(registry.resolve("p", "s", asker), instance);
  assert.equal(registry.resolve("other", "s", asker), "peer-absent");
});

test("of two instances with one selector the latest is meant, and when it goes the earlier one serves again", () => {
  const registry = new Registry<FakeInstance>();
  const [first, second] = [new FakeInstance("p", "1"), new FakeInstance("p", "2")];
  registry.register(first, ["s"]);
  registry.register(second, ["s"]);
  assert.equal(registry.resolve("p", "s", asker), second);
  registry.leave(second);
  assert.equal(registry.resolve("p", "s", asker), first);
});

test("registering a selector again does not make its instance the latest", () => {
  const registry = new Registry<FakeInstance>();
  const [first, second] = [new FakeInstance("p", "1"), new FakeInstance("p", "2")];
  registry.register(first, ["s"]);
  registry.register(second, ["s"]);
  assert.deepEqual(registry.register(first, ["s", "t"]), ["t"]);
  assert.equal(registry.resolve("p", "s", asker), second);
});

test("an instance that does not respond serves only where no other does", () => {
  const registry = new Registry<FakeInstance>();
  const [first, second] = [new FakeInstance("p", "1"), new FakeInstance("p", "2")];
  registry.register(first, ["s"]);
  registry.register(second, ["s"]);
  second.responsive = false;
  assert.equal(registry.resolve("p", "s", asker), first);
  first.responsive = false;
  assert.equal(registry.resolve("p", "s", asker), second);
});

test("a registration replaces the one before it", () => {
  const registry = new Registry<FakeInstance>();
  const instance = new FakeInstance("p", "1");
  registry.register(instance, ["s", "t"]);
  assert.deepEqual(registry.register(instance, ["t", "u"]), ["u"]);
  assert.equal(registry.resolve("p", "s", asker), "selector-absent");
  assert.equal(registry.resolve("p", "t", asker), instance);
});

test("an asker is never introduced to itself, but to another instance of its own peer", () => {
  const registry = new Registry<FakeInstance>();
  const [mine, other] = [new FakeInstance("p", "1"), new FakeInstance("p", "2")];
  registry.register(mine, ["s"]);
  assert.equal(registry.resolve("p", "s", mine), "peer-absent");
  assert.equal(registry.resolve("p", "1", mine), "selector-absent");
  registry.register(other, []);
  assert.equal(registry.resolve("p", "s", mine), "selector-absent");
  registry.register(other, ["s"]);
  registry.register(mine, ["s", "latest"]);
  assert.equal(registry.resolve("p", "s", mine), other);
});

test("what left leaves nothing behind, and leaving twice is nothing", () => {
  const registry = new Registry<FakeInstance>();
  const instance = new FakeInstance("p", "1");
  registry.register(instance, ["s"]);
  registry.leave(instance);
  registry.leave(instance);
  assert.equal(registry.resolve("p", "s", asker), "peer-absent");
  assert.equal(instance.selectors.size, 0);
});

test("an instance registers no more than its most", () => {
  const registry = new Registry<FakeInstance>();
  const instance = new FakeInstance("p", "1");
  registry.register(
    instance,
    Array.from({ length: REGISTER_SELECTORS_MAX + 5 }, (_, i) => `s${i}`),
  );
  assert.equal(instance.selectors.size, REGISTER_SELECTORS_MAX);
  registry.register(instance, ["other"]);
  assert.deepEqual([...instance.selectors], ["other"]);
});
