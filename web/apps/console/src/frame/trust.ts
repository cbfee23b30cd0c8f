// The page's policy asks for trusted types (httpapi/guard). antd writes its
// style sheets through innerHTML; a sheet has no "<", and nothing else may pass.

interface Factory {
  createPolicy(name: string, rules: { createHTML(text: string): string }): unknown;
}

/** Lets style sheets through, and no markup. Called before anything draws. */
export function trustStyles(): void {
  const types = (globalThis as { trustedTypes?: Factory }).trustedTypes;
  types?.createPolicy("default", {
    createHTML(text) {
      if (text.includes("<")) throw new TypeError("markup from text is not allowed here");
      return text;
    },
  });
}

/** The nonce of this answer: style sheets made here carry it. */
export const nonce = (): string => document.querySelector<HTMLScriptElement>("script[nonce]")?.nonce ?? "";
