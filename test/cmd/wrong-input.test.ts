// Whatever a person mistypes is answered with one line that says what to do, the right exit code, and never with a stack.

import assert from "node:assert/strict";
import { once } from "node:events";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { createIdentity } from "../../src/crypto/identity.ts";
import { formatPeerId } from "../../src/crypto/peer-id.ts";
import { formatTicket } from "../../src/crypto/ticket.ts";
import { systemRandom } from "../../src/io/system-random.ts";
import { temporaryDirectory } from "../daemon/temporary-directory.ts";
import { type Environment, Programs } from "./program.ts";

const { publicKey } = createIdentity(systemRandom);
const ticket = formatTicket({
  peer: publicKey,
  secret: new Uint8Array(16),
  rendezvous: [{ host: "127.0.0.1", port: 9 }],
  addresses: [],
  service: "web",
});
const nowhere = formatTicket({
  peer: publicKey,
  secret: new Uint8Array(16),
  rendezvous: [],
  addresses: [],
  service: "web",
});
const flip = (text: string, at: number): string =>
  text.slice(0, at) + (text[at] === "a" ? "b" : "a") + text.slice(at + 1);

interface WrongInput {
  readonly name: string;
  readonly args: readonly string[];
  readonly env?: Environment;
  readonly stdin?: string;
  readonly says: RegExp;
}

const meet = ["--rendezvous", "127.0.0.1:9"];

const wrong: readonly WrongInput[] = [
  { name: "no command", args: [], says: /no command.*expose/ },
  { name: "an unknown command", args: ["teleport"], says: /no command "teleport".*expose/ },
  { name: "an unknown option", args: ["expose", "3000", "--turbo"], says: /: --turbo\. .*--help/ },
  { name: "an option without its value", args: ["expose", "3000", "--name"], says: /--name needs a value/ },
  { name: "no target", args: ["expose"], says: /target is missing.*host:port/ },
  { name: "an unknown option with a value", args: ["rendezvous", "--port=4700"], says: /: --port\. / },
  { name: "a port in place of --listen", args: ["rendezvous", "4700"], says: /: 4700\. / },
  {
    name: "the whole line that expose printed",
    args: ["connect", "tunnel", "connect", ticket],
    says: /connect, <ticket>\. /,
  },
  { name: "port 0", args: ["expose", "0", ...meet], says: /1 to 65535/ },
  { name: "port 70000", args: ["expose", "70000", ...meet], says: /1 to 65535/ },
  { name: "a port that is no number", args: ["expose", "abc", ...meet], says: /"abc" is no target/ },
  { name: "a negative port", args: ["expose", "127.0.0.1:-5", ...meet], says: /1 to 65535/ },
  { name: "a relative unix path", args: ["expose", "unix:sock", ...meet], says: /absolute/ },
  { name: "a short resume timeout", args: ["expose", "3000", "--resume-timeout", "5s", ...meet], says: /1m to 24h/ },
  { name: "no rendezvous", args: ["expose", "3000"], says: /--rendezvous.*TUNNEL_RENDEZVOUS/ },
  { name: "a malformed rendezvous", args: ["expose", "3000", "--rendezvous", "a:b:c"], says: /"a:b:c".*host:port/ },
  {
    name: "a malformed rendezvous in the environment",
    args: ["expose", "3000"],
    env: { TUNNEL_RENDEZVOUS: "host:0" },
    says: /TUNNEL_RENDEZVOUS/,
  },
  { name: "a malformed peer to allow", args: ["expose", "3000", "--allow", "bob", ...meet], says: /52 characters/ },
  { name: "a malformed address", args: ["expose", "3000", "--address", "a:b:c"], says: /"a:b:c".*host:port/ },
  { name: "an address without its port", args: ["connect", ticket, "--address", "host"], says: /"host".*host:port/ },
  { name: "a group for an address", args: ["connect", ticket, "--address", "239.1.1.1:9"], says: /one machine/ },
  {
    name: "addresses of several ports",
    args: ["expose", "3000", "--address", "a:1", "--address", "b:2"],
    says: /--udp-port/,
  },
  { name: "a UDP port that is none", args: ["connect", ticket, "--udp-port", "0"], says: /--udp-port 0.*1 to 65535/ },
  { name: "an empty name", args: ["expose", "3000", "--name", " ", ...meet], says: /--name/ },
  { name: "nothing to connect to", args: ["connect"], says: /tunnel expose/ },
  { name: "what is no ticket", args: ["connect", "hello"], says: /not a ticket/i },
  { name: "a cut ticket", args: ["connect", ticket.slice(0, -10)], says: /cut/ },
  { name: "a mistyped ticket", args: ["connect", flip(ticket, 60)], says: /mistyped/ },
  { name: "a mistyped peer id", args: ["connect", formatPeerId(publicKey).slice(1), ...meet], says: /mistyped/ },
  { name: "a ticket that names no way", args: ["connect", nowhere], says: /--rendezvous.*--address.*--lan/ },
  { name: "a peer id without a rendezvous", args: ["connect", formatPeerId(publicKey)], says: /no rendezvous/ },
  { name: "two tickets", args: ["connect", ticket, "--ticket-file", "x"], says: /both/ },
  { name: "a ticket file that is not there", args: ["connect", "--ticket-file", "/nonexistent"], says: /no such file/ },
  { name: "an empty standard input", args: ["connect", "-"], stdin: "", says: /standard input/ },
  { name: "a bad ticket on standard input", args: ["connect", "-"], stdin: "tunnelx", says: /cut/ },
  { name: "a bad ticket in the environment", args: ["connect"], env: { TUNNEL_TICKET: "x" }, says: /not a ticket/i },
  { name: "a listening port that is none", args: ["connect", ticket, "--listen", "70000"], says: /1 to 65535/ },
  { name: "another service than the ticket's", args: ["connect", ticket, "--service", "x"], says: /"web"/ },
  { name: "a rendezvous on no port", args: ["rendezvous", "--listen", "0.0.0.0"], says: /\[host:\]port/ },
  { name: "an alternate on no port", args: ["rendezvous", "--alternate", "192.0.2.1"], says: /\[host:\]port/ },
  { name: "an alternate on any port", args: ["rendezvous", "--alternate", "0"], says: /1 to 65535/ },
  { name: "an alternate that is none", args: ["rendezvous", "--alternate", "4700"], says: /--listen names already/ },
  {
    name: "an alternate address beside all addresses",
    args: ["rendezvous", "--alternate", "192.0.2.1:4701"],
    says: /--listen has to name one/,
  },
  { name: "a network check that asks nobody", args: ["netcheck"], says: /--rendezvous.*--stun/ },
  { name: "a malformed STUN server", args: ["netcheck", "--stun", "a:b:c"], says: /"a:b:c".*host:port/ },
  { name: "an unknown log level", args: ["id", "--log-level", "loud"], says: /error, warn, info, debug/ },
];

for (const { name, args, env, stdin, says } of wrong) {
  test(`${name} is bad usage`, async (t) => {
    const { code, lines, stderr } = await new Programs(t).run(args, env, stdin);
    assert.match(stderr, says);
    assert.equal(stderr.trim().split("\n").length, 1, `one line, not: ${stderr}`);
    assert.doesNotMatch(stderr, /\bat .*:\d+/);
    assert.equal(stderr.includes(ticket), false, "a secret is not printed");
    assert.deepEqual(lines, []);
    assert.equal(code, 2);
  });
}

test("with --json the same is an error event on stdout", async (t) => {
  const programs = new Programs(t);
  for (const args of [
    ["expose", "0", "--json"],
    ["teleport", "--json"],
    ["connect", ticket.slice(0, -10), "--json"],
  ]) {
    const { code, lines } = await programs.run(args);
    assert.equal(code, 2);
    assert.equal(lines.length, 1);
    const event = JSON.parse(lines[0] as string);
    assert.equal(event.event, "error");
    assert.ok(event.code !== "" && event.message !== "");
  }
});

test("a secret that was mistyped is not printed", async (t) => {
  const { stderr } = await new Programs(t).run(["connect", flip(ticket, 60), "--log-level", "debug"]);
  assert.doesNotMatch(stderr, new RegExp(ticket.slice(70, 90)));
});

const failing: readonly { name: string; args: (place: string) => string[]; says: RegExp }[] = [
  { name: "a UDP port in use", args: (place) => ["rendezvous", "--listen", place], says: /in use.*--listen/ },
  { name: "a TCP port in use", args: (place) => ["connect", ticket, "--listen", place], says: /in use.*--listen/ },
];

for (const { name, args, says } of failing) {
  test(`${name} is a failure that says what to do`, async (t) => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const programs = new Programs(t);
    let place = `127.0.0.1:${(server.address() as { port: number }).port}`;
    if (args("").includes("rendezvous")) {
      const other = programs.start("other", ["rendezvous", "--listen", "127.0.0.1:0", "--json"]);
      place = String((await other.event("ready")).listen);
    }
    const { code, stderr } = await programs.run(args(place));
    server.close();
    assert.match(stderr, says);
    assert.equal(stderr.trim().split("\n").length, 1, stderr);
    assert.equal(code, 1);
  });
}

test("an address that is not this machine's, and a host that is not known, are failures", async (t) => {
  const programs = new Programs(t);
  const elsewhere = await programs.run(["rendezvous", "--listen", "192.0.2.1:4700"]);
  assert.match(elsewhere.stderr, /no address 192\.0\.2\.1/);
  const unknown = await programs.run(["rendezvous", "--listen", "no-such-host.invalid:4700"]);
  assert.match(unknown.stderr, /no-such-host\.invalid.*not known/);
  assert.deepEqual([elsewhere.code, unknown.code], [1, 1]);
});

test("an identity that others can read is a failure that names the command to run", async (t) => {
  const directory = temporaryDirectory(t);
  const programs = new Programs(t);
  await programs.run(["id"], { TUNNEL_STATE_DIR: directory });
  chmodSync(join(directory, "identity"), 0o644);
  for (const args of [["id"], ["expose", "3000", ...meet], ["connect", ticket]]) {
    const { code, stderr } = await programs.run(args, { TUNNEL_STATE_DIR: directory });
    assert.match(stderr, /chmod 600 /);
    assert.equal(code, 1);
  }
});

test("a state directory that cannot be made is a failure", async (t) => {
  const directory = temporaryDirectory(t);
  writeFileSync(join(directory, "file"), "");
  mkdirSync(join(directory, "locked"));
  const { code, stderr } = await new Programs(t).run(["id"], { TUNNEL_STATE_DIR: join(directory, "file", "x") });
  assert.match(stderr, /TUNNEL_STATE_DIR/);
  assert.equal(code, 1);
});
