import { useEffect } from "react";

/** Keys of the whole screen, while no field or dialog has the focus. */
export function useKeys(handle: (key: string) => boolean): void {
  useEffect(() => {
    const on = (e: KeyboardEvent) => {
      if (e.ctrlKey || e.metaKey || e.altKey || document.querySelector("dialog[open]")) return;
      if (e.key === "Enter" && document.activeElement instanceof HTMLButtonElement) return; // it presses that button
      if (handle(e.key)) e.preventDefault();
    };
    addEventListener("keydown", on);
    return () => removeEventListener("keydown", on);
  }, [handle]);
}
