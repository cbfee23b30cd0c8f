import { defineConfig } from "vite";

// The build goes where web/embed.go takes it from. HUIKA_NONCE (index.html) is
// replaced by httpapi/guard at every answer; the page lives at /console/.
export default defineConfig({
  base: "/console/",
  html: { cspNonce: "HUIKA_NONCE" },
  build: {
    outDir: "../../built/console",
    emptyOutDir: true,
    target: "es2022",
    modulePreload: false,
    assetsInlineLimit: 0,
    sourcemap: false,
    rolldownOptions: {
      // antd marks its modules for server components, which there are none of here.
      onwarn: (warning, tell) => warning.code !== "MODULE_LEVEL_DIRECTIVE" && tell(warning),
    },
  },
});
