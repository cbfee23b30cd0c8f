// What all Huika apps share: language, theme, tones, icons, sealing, requests; tokens.css beside it.
export * from "./call.ts";
export * from "./hpke.js";
export * from "./icons.tsx";
export * from "./language.tsx";
export * from "./sound.ts";
export * from "./theme.ts";
