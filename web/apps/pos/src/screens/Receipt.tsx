import { useEffect, useRef } from "react";
import { useWords } from "../words/use.ts";

/** The receipt as it is printed. */
export function Receipt({ text, close }: { text: string; close: () => void }) {
  const { t } = useWords();
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const d = dialog.current;
    if (d && !d.open) d.showModal();
  }, []);
  return (
    <dialog ref={dialog} className="receipt" aria-label={t("receipt")} onClose={close}>
      <pre tabIndex={0}>{text}</pre>
      <button type="button" className="go big" autoFocus onClick={() => dialog.current?.close()}>
        {t("close")}
      </button>
    </dialog>
  );
}
