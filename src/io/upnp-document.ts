// The two kinds of XML that a UPnP router sends: the description of its services, and answers to SOAP calls. Both come from a machine
// that nobody vouches for, so little is believed: no entity of a document's own is expanded, and only so many elements are read.

import sax from "sax";
import { UPNP_ELEMENTS_MAX, UPNP_SERVICES_MAX } from "../base/limits.ts";

/** A service as the description names it. */
export interface UpnpServiceEntry {
  /** "urn:schemas-upnp-org:service:WANIPConnection:1". */
  readonly type: string;
  /** Where it is called, relative to the document's base. */
  readonly controlUrl: string;
}

/** What of a device's description matters here. */
export interface UpnpDescription {
  /** What URLs in it are relative to; "" where that is its own. */
  readonly baseUrl: string;
  /** Those that map ports, at most UPNP_SERVICES_MAX. */
  readonly services: readonly UpnpServiceEntry[];
}

/** An answer to a SOAP call: every element that holds text alone, by its name without prefix. */
export type SoapFields = ReadonlyMap<string, string>;

/** The services that map ports (UPnP Internet Gateway Device 1 and 2), with and without PPP. */
const PORT_MAPPING_SERVICE = /^urn:schemas-upnp-org:service:(?:WANIPConnection:[12]|WANPPPConnection:1)$/;

/** Depth of a document; a router inside a device inside a device has some ten. */
const DEPTH_MAX = 32;

const localName = (name: string): string => name.replace(/^.*:/, "");

/**
 * Calls back at the end of each element, innermost first.
 * @param onElement its local name in lower case, its own text, and whether it holds elements.
 */
function readElements(xml: string, onElement: (name: string, text: string, isLeaf: boolean) => void): void {
  // Not strict: the XML of routers is of all kinds.
  const parser = sax.parser(false, { lowercase: true });
  const open: { text: string; isLeaf: boolean }[] = [];
  let elements = 0;
  parser.onopentag = () => {
    const parent = open.at(-1);
    if (parent !== undefined) parent.isLeaf = false;
    if (++elements > UPNP_ELEMENTS_MAX || open.length >= DEPTH_MAX) throw new Error("the document is too large");
    open.push({ text: "", isLeaf: true });
  };
  const onText = (text: string): void => {
    const element = open.at(-1);
    if (element !== undefined) element.text += text;
  };
  parser.ontext = onText;
  parser.oncdata = onText;
  parser.onclosetag = (name) => {
    const element = open.pop();
    if (element !== undefined) onElement(localName(name), element.text.trim(), element.isLeaf);
  };
  parser.onerror = () => {
    // What is wrong in one place may be right in another; the parser goes on where it can.
    parser.resume();
  };
  parser.write(xml).close();
}

/** @throws where the document is too large. */
export function readUpnpDescription(xml: string): UpnpDescription {
  const services: UpnpServiceEntry[] = [];
  let baseUrl = "";
  let type = "";
  let controlUrl = "";
  readElements(xml, (name, text) => {
    switch (name) {
      case "urlbase":
        baseUrl = text;
        break;
      case "servicetype":
        type = text;
        break;
      case "controlurl":
        controlUrl = text;
        break;
      case "service":
        if (PORT_MAPPING_SERVICE.test(type) && controlUrl !== "" && services.length < UPNP_SERVICES_MAX) {
          services.push({ type, controlUrl });
        }
        type = "";
        controlUrl = "";
        break;
    }
  });
  return { baseUrl, services };
}

/** @returns the fields of an answer by their names in lower case. @throws where the document is too large. */
export function readSoapFields(xml: string): SoapFields {
  const fields = new Map<string, string>();
  readElements(xml, (name, text, isLeaf) => {
    if (isLeaf && !fields.has(name)) fields.set(name, text);
  });
  return fields;
}
