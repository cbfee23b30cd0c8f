import { defineConfig } from "vite";

// The build goes where web/embed.go takes it from. HUIKA_NONCE and HUIKA_DEMO
// (index.html) are replaced by httpapi/guard at every answer.
export default defineConfig({
  base: "/",
  html: { cspNonce: "HUIKA_NONCE" },
  build: {
    outDir: "../../built/pos",
    emptyOutDir: true,
    target: "es2022",
    modulePreload: false,
    assetsInlineLimit: 0,
    sourcemap: false,
  },
});
