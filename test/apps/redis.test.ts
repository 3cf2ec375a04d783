// Redis's server and redis-cli: thousands of commands in flight, answers pushed without a question, and one that waits.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "../cmd/deployment.ts";
import { AppPrograms, lacking } from "./app-programs.ts";
import { tunnelTo } from "./app-tunnel.ts";

const skip = lacking("redis-server", "redis-server", "redis-cli");
const TIMEOUT_MS = 20_000;
const KEYS = 10_000;
const MESSAGES = 1000;

/** A new server. @returns its programs, and redis-cli with the words that lead it through the tunnel. */
async function startRedis(t: TestContext): Promise<{ programs: AppPrograms; cli: readonly string[] }> {
  const programs = new AppPrograms(t);
  const port = await freePort();
  const place = ["--bind", "127.0.0.1", "--port", String(port), "--dir", programs.folder];
  const server = programs.start(["redis-server", ...place, "--save", "", "--appendonly", "no"]);
  await server.waitForLine(/Ready to accept connections/, TIMEOUT_MS);
  return { programs, cli: ["redis-cli", "-h", "127.0.0.1", "-p", String(await tunnelTo(t, port))] };
}

const valueFor = (key: number): string => createHash("sha256").update(`value ${key}`).digest("base64");

test("Redis through the tunnel", { skip }, async (t) => {
  const { programs, cli } = await startRedis(t);
  await t.test("10,000 SETs in one pipeline are all taken, and each value comes back", async () => {
    const keys = Array.from({ length: KEYS }, (_, key) => key);
    const commands = keys.map((key) => {
      const words = ["SET", `key:${key}`, valueFor(key)];
      return `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join("")}`;
    });
    assert.match(await programs.run([...cli, "--pipe"], commands.join("")), /errors: 0, replies: 10000/);
    const values = keys.map(valueFor);
    const script = `local v = {} for i = 0, ${KEYS - 1} do v[i + 1] = redis.call('get', 'key:' .. i) end
    return redis.sha1hex(table.concat(v))`;
    assert.equal(
      await programs.run([...cli, "eval", script, "0"]),
      createHash("sha1").update(values.join("")).digest("hex"),
    );
    const given = await programs.run(cli, `MGET ${keys.map((key) => `key:${key}`).join(" ")}\n`);
    assert.deepEqual(given.split("\n"), values);
  });

  await t.test(
    "a subscriber hears every message in order, and a list that is waited for gives what is pushed later",
    async () => {
      const subscriber = programs.start([...cli, "subscribe", "news"]);
      await subscriber.waitForLine(/^subscribe$/, TIMEOUT_MS);
      const waiting = programs.run([...cli, "blpop", "queue", "20"]);
      await sleep(700);
      const messages = Array.from({ length: MESSAGES }, (_, index) => `message ${index} ${valueFor(index)}`);
      await programs.run(cli, messages.map((message) => `PUBLISH news "${message}"\n`).join(""));
      await subscriber.waitForLine(new RegExp(`^message ${MESSAGES - 1} `), TIMEOUT_MS);
      assert.deepEqual(
        subscriber.lines.filter((line) => line.startsWith("message ")),
        messages,
      );
      await programs.run([...cli, "rpush", "queue", "at last"]);
      assert.deepEqual((await waiting).split("\n"), ["queue", "at last"]);
    },
  );
});
