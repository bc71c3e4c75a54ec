// An assertion that opens the portal in your page. Node 18 or later, without any package.
//
//   PORTAL_KEY_FILE=portal-key.pem PORTAL_KEY_ID=2026-11 PORTAL_SLUG=horecaplus \
//   PORTAL_URL=https://abonnement.example PORTAL_ORIGIN=https://espace.horecaplus.example \
//   node assertion.mjs HP-20041 marcel@chezmarcel.example owner
//
// Call it from an address of your own site that only a signed-in client can reach, and answer the text:
//
//   app.post("/portail/jeton", (request, response) =>
//     response.type("text/plain").send(assertion(request.user.reference, request.user.email, "owner", process.env)));

import { randomBytes, sign } from "node:crypto";
import { readFileSync } from "node:fs";
import { argv } from "node:process";
import { pathToFileURL } from "node:url";

export function assertion(reference, user, role, settings, locale = "fr") {
  const now = Math.floor(Date.now() / 1000);
  const header = { alg: "EdDSA", typ: "pf-embed+jwt", kid: settings.PORTAL_KEY_ID };
  const claims = {
    iss: settings.PORTAL_SLUG,
    aud: settings.PORTAL_URL,
    sub: reference,
    user,
    role,
    origin: settings.PORTAL_ORIGIN,
    locale,
    iat: now,
    exp: now + 60,
    jti: randomBytes(16).toString("base64url"),
  };
  const text = [header, claims].map((each) => Buffer.from(JSON.stringify(each)).toString("base64url")).join(".");
  const signature = sign(null, Buffer.from(text), readFileSync(settings.PORTAL_KEY_FILE, "utf8"));
  return `${text}.${signature.toString("base64url")}`;
}

if (import.meta.url === pathToFileURL(argv[1]).href) console.log(assertion(...argv.slice(2, 5), process.env));
