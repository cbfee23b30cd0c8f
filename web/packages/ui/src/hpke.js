// HPKE base mode (RFC 9180) as this page needs it: DHKEM(P-256, HKDF-SHA256),
// HKDF-SHA256, AES-128-GCM, one message, sender's side only, over WebCrypto.
// Plain JavaScript, so that Node runs the RFC's vector against the same file.

const text = (s) => new TextEncoder().encode(s);
const i2osp = (n, length) => Uint8Array.from({ length }, (_, i) => (n >>> (8 * (length - 1 - i))) & 0xff);

/** @param {...Uint8Array} parts */
export function concat(...parts) {
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const p of parts) {
    out.set(p, at);
    at += p.length;
  }
  return out;
}

async function hmac(key, data) {
  // WebCrypto takes no empty HMAC key; one of zeros is the same key (RFC 2104).
  const k = await crypto.subtle.importKey("raw", key.length ? key : new Uint8Array(32), { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  return new Uint8Array(await crypto.subtle.sign("HMAC", k, data));
}

async function expand(prk, info, length) {
  let block = new Uint8Array();
  let out = new Uint8Array();
  for (let n = 1; out.length < length; n++) {
    block = await hmac(prk, concat(block, info, Uint8Array.of(n)));
    out = concat(out, block);
  }
  return out.slice(0, length);
}

const VERSION = text("HPKE-v1");
const KEM = concat(text("KEM"), i2osp(0x0010, 2));
const SUITE = concat(text("HPKE"), i2osp(0x0010, 2), i2osp(0x0001, 2), i2osp(0x0001, 2));
const labeledExtract = (suite, salt, label, ikm) => hmac(salt, concat(VERSION, suite, text(label), ikm));
const labeledExpand = (suite, prk, label, info, length) => expand(prk, concat(i2osp(length, 2), VERSION, suite, text(label), info), length);

/**
 * Seals plain for the holder of an uncompressed P-256 point; the result is
 * enc ‖ ct. ephemeral is for the RFC's vector only.
 */
export async function seal(publicKey, info, plain, ephemeral) {
  const curve = { name: "ECDH", namedCurve: "P-256" };
  const to = await crypto.subtle.importKey("raw", publicKey, curve, false, []);
  const pair = ephemeral ?? (await crypto.subtle.generateKey(curve, false, ["deriveBits"]));
  const enc = new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey));
  const dh = new Uint8Array(await crypto.subtle.deriveBits({ name: "ECDH", public: to }, pair.privateKey, 256));
  const eae = await labeledExtract(KEM, new Uint8Array(), "eae_prk", dh);
  const shared = await labeledExpand(KEM, eae, "shared_secret", concat(enc, publicKey), 32);
  const none = new Uint8Array();
  const context = concat(Uint8Array.of(0), await labeledExtract(SUITE, none, "psk_id_hash", none), await labeledExtract(SUITE, none, "info_hash", info));
  const secret = await labeledExtract(SUITE, shared, "secret", none);
  const key = await labeledExpand(SUITE, secret, "key", context, 16);
  const nonce = await labeledExpand(SUITE, secret, "base_nonce", context, 12);
  const aes = await crypto.subtle.importKey("raw", key, "AES-GCM", false, ["encrypt"]);
  const ct = new Uint8Array(await crypto.subtle.encrypt({ name: "AES-GCM", iv: nonce }, aes, plain));
  return concat(enc, ct);
}
