import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { LanguageProvider } from "@huika/ui";
import "@huika/ui/tokens.css";
import "./console.css";
import "./story/story.css";
import { trustStyles } from "./frame/trust.ts";
import { Frame } from "./frame/Frame.tsx";

trustStyles();
const root = document.getElementById("app");
if (root) {
  createRoot(root).render(
    <StrictMode>
      <LanguageProvider>
        <Frame />
      </LanguageProvider>
    </StrictMode>,
  );
}
