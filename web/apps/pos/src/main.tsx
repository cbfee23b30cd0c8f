import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { LanguageProvider } from "@huika/ui";
import "@huika/ui/tokens.css";
import "./pos.css";
import { App } from "./App.tsx";

const root = document.getElementById("app");
if (root) {
  createRoot(root).render(
    <StrictMode>
      <LanguageProvider>
        <App />
      </LanguageProvider>
    </StrictMode>,
  );
}
