// The bodies of CANDIDATES and PUNCH: their bytes, their bounds, and that no peer can break their decoders.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { AssertionError } from "../../src/base/assert.ts";
import { CANDIDATES_MAX, PUNCH_ADDRESSES_MAX } from "../../src/base/limits.ts";
import { closeCode, ProtocolError } from "../../src/base/protocol-error.ts";
import {
  type Candidate,
  type CandidatesBody,
  decodeCandidates,
  decodePunch,
  encodeCandidates,
  encodePunch,
  type NatDependence,
  type PunchBody,
} from "../../src/wire/candidate.ts";
import { fromHex, hex, mutated, record, socketAddress, varintValue } from "./arbitrary.ts";

const dependence: fc.Arbitrary<NatDependence> = fc.constantFrom(
  "unknown",
  "endpoint-independent",
  "address-dependent",
  "address-and-port-dependent",
);
const candidateType = fc.constantFrom("host", "server-reflexive", "peer-reflexive", "port-mapped");
const candidate: fc.Arbitrary<Candidate> = fc.oneof(
  record({ type: candidateType, address: socketAddress }),
  record({ type: candidateType, transport: fc.constant("tcp"), address: socketAddress }),
);
const candidatesBody: fc.Arbitrary<CandidatesBody> = record({
  nat: fc
    .tuple(dependence, dependence, fc.boolean(), fc.constantFrom(undefined, false, true), fc.nat(255))
    .map(([mapping, filtering, portsPreserved, takesUnsolicited, portStride]) => ({
      mapping,
      filtering,
      portsPreserved,
      ...(takesUnsolicited === undefined ? {} : { takesUnsolicited }),
      ...(portStride > 0 ? { portStride } : {}),
    })),
  candidates: fc.array(candidate, { maxLength: CANDIDATES_MAX }),
});
const punchBody: fc.Arbitrary<PunchBody> = record({
  step: fc.constantFrom("spoken", "spray", "crossing", "prediction"),
  round: varintValue,
  addresses: fc.array(socketAddress, { maxLength: PUNCH_ADDRESSES_MAX }),
});

const v4 = { family: 4, host: "192.0.2.1", port: 4700 } as const;
const v6 = { family: 6, host: "2001:db8::1", port: 443 } as const;

test("CANDIDATES is the NAT's behaviour and a list of type and address", () => {
  const bytes = encodeCandidates({
    nat: { mapping: "endpoint-independent", filtering: "address-and-port-dependent", portsPreserved: true },
    candidates: [
      { type: "host", address: v6 },
      { type: "server-reflexive", address: v4 },
      { type: "peer-reflexive", address: v4 },
      { type: "port-mapped", address: v4 },
      { type: "server-reflexive", transport: "tcp", address: v4 },
    ],
  });
  const reflexive = "04c0000201125c";
  assert.equal(
    hex(bytes),
    `0103010005${"01"}0620010db800000000000000000000000101bb02${reflexive}03${reflexive}04${reflexive}82${reflexive}`,
  );
  const nothing = encodeCandidates({
    nat: { mapping: "unknown", filtering: "address-dependent", portsPreserved: false },
    candidates: [],
  });
  assert.equal(hex(nothing), "0002000000");
  const known = encodeCandidates({
    nat: {
      mapping: "endpoint-independent",
      filtering: "unknown",
      portsPreserved: true,
      takesUnsolicited: true,
      portStride: 2,
    },
    candidates: [],
  });
  assert.equal(hex(known), "0100030200");
  const good = encodeCandidates({
    nat: { mapping: "endpoint-independent", filtering: "unknown", portsPreserved: true, takesUnsolicited: false },
    candidates: [],
  });
  assert.equal(hex(good), "0100050000");
});

test("PUNCH is the step, the round and a list of addresses", () => {
  assert.equal(hex(encodePunch({ step: "crossing", round: 300, addresses: [v4] })), "03412c0104c0000201125c");
  assert.equal(hex(encodePunch({ step: "spoken", round: 0, addresses: [] })), "010000");
  assert.equal(hex(encodePunch({ step: "spray", round: 1, addresses: [] })), "020100");
  assert.equal(hex(encodePunch({ step: "prediction", round: 1, addresses: [] })), "040100");
});

test("bodies are read back as they were written", () => {
  fc.assert(
    fc.property(candidatesBody, punchBody, (candidates, punch) => {
      assert.deepEqual(decodeCandidates(encodeCandidates(candidates)), candidates);
      assert.deepEqual(decodePunch(encodePunch(punch)), punch);
    }),
  );
});

test("a body that cannot be read closes the connection", () => {
  const isFrameEncoding = (error: unknown) => error instanceof ProtocolError && error.code === closeCode.frameEncoding;
  const candidates = ["", "01030100", "04000000 00", "00040000 00", "00000000 01", "00000000 01 00 04c0000201125c"];
  const more = [
    "00000000 01 05 04c0000201125c",
    "00000000 01 01 05c0000201125c",
    "00000000 01 01 04c00002010000",
    "0000000000 00",
  ];
  for (const text of [...candidates, ...more]) {
    assert.throws(() => decodeCandidates(fromHex(text)), isFrameEncoding, text);
  }
  for (const text of ["", "01", "0100", "010001", "010001 04c00002", "010000 00", "000000", "050000"]) {
    assert.throws(() => decodePunch(fromHex(text)), isFrameEncoding, text);
  }
});

test("more addresses than the bound are refused before they are read, and never written", () => {
  const addresses = new Array(PUNCH_ADDRESSES_MAX + 1).fill(v4);
  const list = `${(PUNCH_ADDRESSES_MAX + 1).toString(16)}${"04c0000201125c".repeat(addresses.length)}`;
  assert.throws(() => decodePunch(fromHex(`0100${list}`)), ProtocolError);
  assert.throws(() => encodePunch({ step: "spoken", round: 0, addresses }), AssertionError);
  const candidates = new Array(CANDIDATES_MAX + 1).fill({ type: "host", address: v4 });
  const nat = { mapping: "unknown", filtering: "unknown", portsPreserved: false } as const;
  assert.throws(() => encodeCandidates({ nat, candidates }), AssertionError);
  const listed = `${(CANDIDATES_MAX + 1).toString(16)}${"0104c0000201125c".repeat(candidates.length)}`;
  assert.throws(() => decodeCandidates(fromHex(`00000000${listed}`)), ProtocolError);
});

test("no bytes make a decoder throw anything but a ProtocolError", () => {
  fc.assert(
    fc.property(mutated(fc.oneof(candidatesBody.map(encodeCandidates), punchBody.map(encodePunch))), (bytes) => {
      for (const decode of [decodeCandidates, decodePunch]) {
        try {
          decode(bytes);
        } catch (error) {
          assert(error instanceof ProtocolError, String(error));
        }
      }
    }),
    { numRuns: 1000 },
  );
});
