// The certificate that the rendezvous shows over WebSocket, from files. A certificate lives for weeks and the rendezvous for years, so
// the files are looked at again now and then: whoever renews it has nothing to tell us.

import { readFileSync } from "node:fs";
import { createSecureContext } from "node:tls";
import { CERTIFICATE_REFRESH_MS } from "../base/limits.ts";
import type { Log } from "../base/log.ts";
import type { Certificate } from "../io/websocket-listener.ts";
import { fileErrorReason } from "./state-directory.ts";
import { OperatingError, UsageError } from "./usage-error.ts";

/** As the command line gives them. */
export interface CertificateFiles {
  readonly cert: string;
  readonly key: string;
}

/** @returns undefined where neither is given. @throws UsageError where one is. */
export function certificateFiles(cert: string | undefined, key: string | undefined): CertificateFiles | undefined {
  if (cert === undefined && key === undefined) return undefined;
  if (cert === undefined || key === undefined) {
    throw new UsageError("--tls-cert and --tls-key belong together: the certificate and its private key, as PEM files");
  }
  return { cert, key };
}

/** @throws OperatingError where the files cannot be read, or do not fit each other. */
export function readCertificate(files: CertificateFiles): Certificate {
  const certificate = { cert: readFile(files.cert), key: readFile(files.key) };
  try {
    createSecureContext(certificate);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new OperatingError(
      "certificate",
      `${files.cert} and ${files.key} are no certificate with its private key (${reason}); expected two files in PEM form`,
    );
  }
  return certificate;
}

function readFile(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new OperatingError("certificate", `cannot read ${path}: ${fileErrorReason(error)}`);
  }
}

/** Looks at the files again and again. @returns what ends that. */
export function watchCertificate(files: CertificateFiles, log: Log, onRenewed: (to: Certificate) => void): () => void {
  let last = readCertificate(files);
  const timer = setInterval(() => {
    try {
      const certificate = readCertificate(files);
      if (certificate.cert.equals(last.cert) && certificate.key.equals(last.key)) return;
      last = certificate;
      onRenewed(certificate);
      log.info("the certificate was renewed");
    } catch (error) {
      // The files are being written, perhaps; the old certificate is shown meanwhile.
      if (!(error instanceof OperatingError)) throw error;
      log.warn("the certificate cannot be read again", { reason: error.message });
    }
  }, CERTIFICATE_REFRESH_MS);
  return () => clearInterval(timer);
}
