export function concat(...parts: Uint8Array[]): Uint8Array<ArrayBuffer>;
export function seal(publicKey: Uint8Array<ArrayBuffer>, info: Uint8Array<ArrayBuffer>, plain: Uint8Array<ArrayBuffer>, ephemeral?: CryptoKeyPair): Promise<Uint8Array<ArrayBuffer>>;
