// Reading what UPnP routers send, well-formed or not, and what somebody else might send in their place.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { UPNP_SERVICES_MAX } from "../../src/base/limits.ts";
import { readSoapFields, readUpnpDescription } from "../../src/io/upnp-document.ts";

const WAN_IP = "urn:schemas-upnp-org:service:WANIPConnection:1";

const service = (type: string, controlUrl: string): string =>
  `<service><serviceType>${type}</serviceType><controlURL>${controlUrl}</controlURL></service>`;

test("the services that map ports are found however deep they lie, with and without PPP, and no others", () => {
  const xml = `<?xml version="1.0"?><root xmlns="urn:schemas-upnp-org:device-1-0"><URLBase>http://192.168.1.1:5000/</URLBase>
    <device><serviceList>${service("urn:schemas-upnp-org:service:Layer3Forwarding:1", "/l3f")}</serviceList>
    <deviceList><device><deviceList><device><serviceList>
      ${service("urn:schemas-upnp-org:service:WANPPPConnection:1", "/ppp")}
      ${service(" urn:schemas-upnp-org:service:WANIPConnection:2\n", " /ctl?a=1&amp;b=2 ")}
      ${service("urn:schemas-upnp-org:service:WANIPConnection:3", "/unknown")}
      ${service(WAN_IP, "")}
    </serviceList></device></deviceList></device></deviceList></device></root>`;
  assert.deepEqual(readUpnpDescription(xml), {
    baseUrl: "http://192.168.1.1:5000/",
    services: [
      { type: "urn:schemas-upnp-org:service:WANPPPConnection:1", controlUrl: "/ppp" },
      { type: "urn:schemas-upnp-org:service:WANIPConnection:2", controlUrl: "/ctl?a=1&b=2" },
    ],
  });
});

test("a document that is not quite XML is read as far as it goes", () => {
  const xml = `<root><device attribute=unquoted><manufacturer>A & B <serviceList>${service(WAN_IP, "/ctl")}`;
  assert.deepEqual(readUpnpDescription(xml).services, [{ type: WAN_IP, controlUrl: "/ctl" }]);
});

test("the fields of an answer are found by their names without prefix", () => {
  const xml = `<s:Envelope><s:Body><u:GetExternalIPAddressResponse><NewExternalIPAddress> 203.0.113.9
    </NewExternalIPAddress></u:GetExternalIPAddressResponse></s:Body></s:Envelope>`;
  assert.deepEqual([...readSoapFields(xml)], [["newexternalipaddress", "203.0.113.9"]]);
});

test("the number of an error is found inside a fault", () => {
  const xml = `<s:Fault><detail><UPnPError><errorCode>725</errorCode><errorDescription><![CDATA[Only <permanent>]]></errorDescription>
    </UPnPError></detail></s:Fault>`;
  assert.equal(readSoapFields(xml).get("errorcode"), "725");
  assert.equal(readSoapFields(xml).get("errordescription"), "Only <permanent>");
});

test("an entity of the document's own is not expanded", () => {
  const xml = `<!DOCTYPE a [<!ENTITY x "ha"><!ENTITY f SYSTEM "file:///etc/passwd">]><a><b>&x;&f;</b></a>`;
  assert.equal(readSoapFields(xml).get("b"), "&x;&f;");
});

test("only so many services, elements and levels are read", () => {
  const many = `<root>${service(WAN_IP, "/ctl").repeat(UPNP_SERVICES_MAX + 5)}</root>`;
  assert.equal(readUpnpDescription(many).services.length, UPNP_SERVICES_MAX);
  assert.throws(() => readUpnpDescription(`<root>${"<a/>".repeat(5000)}</root>`), /too large/);
  assert.throws(() => readSoapFields("<a>".repeat(40)), /too large/);
});

test("text of chance makes no reader fail in any other way", () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom("<a>", "</a>", "<", ">", "&", "]]>", "<![CDATA[", "x", '"', "<!--")),
      (parts) => {
        readSoapFields(parts.join("").slice(0, 60));
      },
    ),
  );
});
