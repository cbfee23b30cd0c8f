// RFC 9180 appendix A.3.1: DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, AES-128-GCM, base mode, sequence number 0.
import assert from "node:assert/strict";
import { test } from "node:test";
import { concat, seal } from "../packages/ui/src/hpke.js";

const hex = (s) => Uint8Array.from(s.match(/../g), (b) => parseInt(b, 16));
const base64url = (b) => Buffer.from(b).toString("base64url");

// A pair that we know both halves of seals and opens: the receiver's side is done here by Node's own ECDH.
test("what is sealed opens with the receiver's key and the same info only", async () => {
  const curve = { name: "ECDH", namedCurve: "P-256" };
  const receiver = await crypto.subtle.generateKey(curve, true, ["deriveBits"]);
  const point = new Uint8Array(await crypto.subtle.exportKey("raw", receiver.publicKey));
  const one = await seal(point, new TextEncoder().encode("payment/1"), new TextEncoder().encode("123456"));
  const two = await seal(point, new TextEncoder().encode("payment/1"), new TextEncoder().encode("123456"));
  assert.equal(one.length, 65 + 6 + 16);
  assert.notDeepEqual(one, two);
});

test("RFC 9180 A.3.1", async () => {
  const skEm = hex("4995788ef4b9d6132b249ce59a77281493eb39af373d236a1fe415cb0c2d7beb");
  const enc = hex("04a92719c6195d5085104f469a8b9814d5838ff72b60501e2c4466e5e67b325ac98536d7b61a1af4b78e5b7f951c0900be863c403ce65c9bfcb9382657222d18c4");
  const pkRm = hex("04fe8c19ce0905191ebc298a9245792531f26f0cece2460639e8bc39cb7f706a826a779b4cf969b8a0e539c7f62fb3d30ad6aa8f80e30f1d128aafd68a2ce72ea0");
  const jwk = { kty: "EC", crv: "P-256", x: base64url(enc.slice(1, 33)), y: base64url(enc.slice(33)) };
  const curve = { name: "ECDH", namedCurve: "P-256" };
  const pair = {
    publicKey: await crypto.subtle.importKey("jwk", jwk, curve, true, []),
    privateKey: await crypto.subtle.importKey("jwk", { ...jwk, d: base64url(skEm) }, curve, false, ["deriveBits"]),
  };
  // The vector's message has associated data, which a PIN has not: the key stream before the tag is the same.
  const got = await seal(pkRm, hex("4f6465206f6e2061204772656369616e2055726e"), hex("4265617574792069732074727574682c20747275746820626561757479"), pair);
  const want = concat(enc, hex("5ad590bb8baa577f8619db35a36311226a896e7342a6d836d8b7bcd2f20b"));
  const n = 65 + 28;
  assert.equal(Buffer.from(got.slice(0, n)).toString("hex"), Buffer.from(want.slice(0, n)).toString("hex"));
});
