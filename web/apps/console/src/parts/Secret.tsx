import { Button } from "antd";
import { useState } from "react";
import { IconLock } from "@huika/ui";
import { useWords } from "../words/use.ts";

/** A secret that is shown this once, with the way to keep it. It lives nowhere but in this element. */
export function Secret({ title, secret, close }: { title: string; secret: string; close: () => void }) {
  const { t } = useWords();
  const [copied, setCopied] = useState(false);
  const copy = () =>
    navigator.clipboard?.writeText(secret).then(
      () => setCopied(true),
      () => setCopied(false), // it can still be selected by hand
    );
  return (
    <div className="notice secret" data-tone="go" role="status">
      <IconLock />
      <div>
        <strong>{title}</strong>
        {secret ? (
          <>
            <p>{t("secretOnce")}</p>
            <p className="code wrap"><output>{secret}</output></p>
            <p className="go-on"><Button onClick={() => void copy()}>{copied ? t("copied") : t("copy")}</Button> <Button type="link" onClick={close}>{t("secretKept")}</Button></p>
          </>
        ) : (
          <p>{t("secretGone")}</p>
        )}
      </div>
    </div>
  );
}
