import { Button, Popover } from "antd";
import { useState } from "react";
import { useWords } from "../words/use.ts";

/** An act that can't be taken back: its button asks once more, beside itself. */
export function Sure({ ask, yes, label, act }: { ask: string; yes: string; label: string; act: () => void }) {
  const { t } = useWords();
  const [open, setOpen] = useState(false);
  const content = (
    <div className="sure">
      <p>{ask}</p>
      <p className="row">
        <Button onClick={() => setOpen(false)}>{t("notNow")}</Button>
        <Button type="primary" danger onClick={() => { setOpen(false); act(); }}>{yes}</Button>
      </p>
    </div>
  );
  return (
    <Popover trigger="click" open={open} onOpenChange={setOpen} content={content} placement="bottomRight" destroyOnHidden>
      <Button>{label}</Button>
    </Popover>
  );
}
