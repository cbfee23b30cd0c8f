import { useEffect } from "react";

/** Keys of a whole screen, while no field, menu or drawer has the focus. handle tells whether it took one. */
export function useKeys(handle: (key: string) => boolean): void {
  useEffect(() => {
    const on = (e: KeyboardEvent) => {
      const at = document.activeElement;
      if (e.ctrlKey || e.metaKey || e.altKey || at?.matches("input, textarea, select, [contenteditable]")) return;
      if (document.querySelector(".ant-drawer-open, .ant-popover:not(.ant-popover-hidden), .ant-dropdown:not(.ant-dropdown-hidden)")) return;
      if (handle(e.key)) e.preventDefault();
    };
    addEventListener("keydown", on);
    return () => removeEventListener("keydown", on);
  }, [handle]);
}
