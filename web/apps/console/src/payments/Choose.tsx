import { Button, Checkbox, Popover } from "antd";
import { useState } from "react";
import { IconTrace } from "@huika/ui";
import type { Column } from "../parts/Table.tsx";
import { useWords } from "../words/use.ts";
import { firstColumns } from "./columns.tsx";

const KEY = "huika.columns";

/** The columns chosen on this screen. */
export function useColumns(): [string[], (names: string[]) => void] {
  const [names, set] = useState<string[]>(() => {
    const stored = localStorage.getItem(KEY);
    return stored === null ? firstColumns : stored.split(",");
  });
  return [
    names,
    (next) => {
      localStorage.setItem(KEY, next.join(","));
      set(next);
    },
  ];
}

/** The column chooser. */
export function Choose<T>({ all, chosen, choose }: { all: Column<T>[]; chosen: string[]; choose: (names: string[]) => void }) {
  const { t } = useWords();
  const content = (
    <fieldset className="choose">
      <legend className="quiet-for-eyes">{t("columns")}</legend>
      {all.filter((c) => !c.lead).map((c) => (
        <Checkbox key={c.name} checked={chosen.includes(c.name)} onChange={(e) => choose(e.target.checked ? [...chosen, c.name] : chosen.filter((n) => n !== c.name))}>
          {c.head}
        </Checkbox>
      ))}
      <Button type="link" onClick={() => choose(firstColumns)}>{t("usualColumns")}</Button>
    </fieldset>
  );
  return (
    <Popover trigger="click" placement="bottomRight" content={content} destroyOnHidden>
      <Button icon={<IconTrace size={16} />}>{t("columns")}</Button>
    </Popover>
  );
}
