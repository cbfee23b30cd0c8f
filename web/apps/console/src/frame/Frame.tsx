import { ConfigProvider } from "antd";
import enUS from "antd/locale/en_US";
import zhCN from "antd/locale/zh_CN";
import dayjs from "dayjs";
import "dayjs/locale/zh-cn";
import { useMemo, useSyncExternalStore } from "react";
import { useLanguage, useTheme } from "@huika/ui";
import { App } from "../App.tsx";
import { lookOf } from "./theme.ts";
import { nonce } from "./trust.ts";

const coarse = matchMedia("(pointer: coarse), (max-width: 720px)");
const onCoarse = (changed: () => void) => {
  coarse.addEventListener("change", changed);
  return () => coarse.removeEventListener("change", changed);
};

/** antd under our tokens, language and policy, and the console within it. */
export function Frame() {
  const { language } = useLanguage();
  const { theme, choose } = useTheme();
  const touch = useSyncExternalStore(onCoarse, () => coarse.matches);
  const look = useMemo(() => lookOf(theme, touch), [theme, touch]);
  const csp = useMemo(() => ({ nonce: nonce() }), []);
  dayjs.locale(language === "zh" ? "zh-cn" : "en");
  return (
    <ConfigProvider csp={csp} theme={look} locale={language === "zh" ? zhCN : enUS} button={{ autoInsertSpace: false }} wave={{ disabled: true }}>
      <App theme={theme} chooseTheme={choose} />
    </ConfigProvider>
  );
}
