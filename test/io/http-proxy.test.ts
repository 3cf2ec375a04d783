// Which proxy an environment names, for which hosts, and how a connection goes through it.

import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { test } from "node:test";
import { connectByProxy, isException, proxyOf } from "../../src/io/http-proxy.ts";
import { SmallProxy } from "./small-proxy.ts";

const hrefOf = (environment: Record<string, string>): string | undefined => {
  const proxy = proxyOf(environment);
  return proxy instanceof URL ? proxy.href : proxy?.problem;
};

test("HTTPS_PROXY names the proxy, in either case, with or without a scheme; ALL_PROXY does where it is not set", () => {
  assert.equal(hrefOf({}), undefined);
  assert.equal(hrefOf({ HTTPS_PROXY: "" }), undefined);
  assert.equal(hrefOf({ HTTPS_PROXY: "http://proxy.example:3128" }), "http://proxy.example:3128/");
  assert.equal(hrefOf({ https_proxy: "proxy.example:3128" }), "http://proxy.example:3128/");
  assert.equal(hrefOf({ ALL_PROXY: "https://u:p@proxy.example" }), "https://u:p@proxy.example/");
  assert.equal(hrefOf({ ALL_PROXY: "http://a", HTTPS_PROXY: "http://b" }), "http://b/");
});

test("a proxy that cannot be used is told, without its password", () => {
  assert.match(hrefOf({ HTTPS_PROXY: "socks5://me:hidden@proxy.example" }) ?? "", /kind "socks5:"/);
  assert.match(hrefOf({ HTTPS_PROXY: "http://me:hidden@" }) ?? "", /no URL/);
  for (const text of ["socks5://me:hidden@proxy.example", "http://me:hidden@"]) {
    assert.doesNotMatch(hrefOf({ HTTPS_PROXY: text }) ?? "", /hidden/);
  }
});

test("NO_PROXY excepts a host by its name, by the end of its name, or all", () => {
  const cases: readonly (readonly [string, string, boolean])[] = [
    ["", "meet.example.org", false],
    ["meet.example.org", "meet.example.org", true],
    ["Example.ORG", "meet.example.org", true],
    [".example.org, other", "meet.example.org", true],
    ["*.example.org", "meet.example.org", true],
    ["ample.org", "meet.example.org", false],
    ["192.0.2.1", "192.0.2.1", true],
    ["2.1", "192.0.2.1", false],
    ["*", "anything", true],
  ];
  for (const [list, host, expected] of cases) {
    assert.equal(isException({ no_proxy: list }, host), expected, `${host} with NO_PROXY=${list}`);
  }
});

test("the proxy connects to the name that it is told and passes everything on, what came along with its answer included", async (context) => {
  const echo = createServer((socket) => {
    socket.write("hello ");
    socket.pipe(socket);
  }).listen(0, "127.0.0.1");
  await once(echo, "listening");
  const proxy = await new SmallProxy("me:pass word", () => "127.0.0.1").listen();
  context.after(() => {
    proxy.close();
    echo.close();
  });
  const { port } = echo.address() as AddressInfo;
  const socket = await connectByProxy(
    new URL(`http://me:pass%20word@127.0.0.1:${proxy.port}`),
    "meet.example.org",
    port,
  );
  let text = "";
  socket.on("data", (bytes: Buffer) => {
    text += bytes.toString();
  });
  socket.end("world");
  await once(socket, "end");
  assert.equal(text, "hello world");
  assert.deepEqual(proxy.targets, [`meet.example.org:${port}`]);
});

test("a proxy that refuses, or is not there, is an error and nothing is left open", async (context) => {
  const proxy = await new SmallProxy("me:right").listen();
  context.after(() => proxy.close());
  const wrong = new URL(`http://me:wrong@127.0.0.1:${proxy.port}`);
  await assert.rejects(connectByProxy(wrong, "2001:db8::1", 443), /refuses .*\[2001:db8::1\]:443.*407/);
  const { port } = proxy;
  proxy.close();
  await assert.rejects(connectByProxy(new URL(`http://127.0.0.1:${port}`), "x", 1), /ECONNREFUSED/);
  await assert.rejects(connectByProxy(new URL("http://%zz@127.0.0.1"), "x", 1), URIError);
});
