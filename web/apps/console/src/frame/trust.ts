// The page's policy (httpapi/guard) wants the answer's nonce on every style
// sheet, and trusted types. antd writes its sheets through innerHTML, and two of
// them (the lock of scrolling, the width of a scroll bar) without the nonce that
// ConfigProvider was given.

interface Factory {
  createPolicy(name: string, rules: { createHTML(text: string): string }): unknown;
}

/** Lets style sheets through, and no markup: a sheet has no "<". Called before anything draws. */
export function trustStyles(): void {
  const make = document.createElement.bind(document);
  const given = nonce();
  document.createElement = ((name: string, options?: ElementCreationOptions) => {
    const el = make(name, options);
    if (el instanceof HTMLStyleElement) el.nonce = given;
    return el;
  }) as typeof document.createElement;
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
