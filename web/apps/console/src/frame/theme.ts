import { theme as antd, type ThemeConfig } from "antd";
import type { Theme } from "@huika/ui";

/** antd's look, from the tokens that all Huika apps share (packages/ui/src/tokens.css). */
export function lookOf(theme: Theme, touch: boolean): ThemeConfig {
  document.documentElement.dataset.theme = theme; // the tokens are read below
  const style = getComputedStyle(document.documentElement);
  const token = (name: string) => style.getPropertyValue(`--${name}`).trim();
  const px = (name: string) => Number.parseFloat(token(name));
  const go = token("go"), ink = token("ink"), quiet = token("ink-quiet"), raised = token("raised"), sunken = token("sunken");
  return {
    algorithm: theme === "dark" ? antd.darkAlgorithm : antd.defaultAlgorithm,
    token: {
      colorPrimary: go, colorInfo: go, colorSuccess: go, colorWarning: token("look"), colorError: token("fail"),
      colorPrimaryHover: token("go-press"), colorPrimaryActive: token("go-press"), colorPrimaryBg: token("go-soft"), colorPrimaryBgHover: token("go-soft"),
      colorLink: go, colorLinkHover: token("go-press"), colorLinkActive: token("go-press"),
      colorText: ink, colorTextSecondary: quiet, colorTextTertiary: quiet, colorTextQuaternary: quiet, colorTextPlaceholder: quiet, colorTextDisabled: quiet,
      colorTextLightSolid: token("on-go"),
      colorBgContainer: raised, colorBgElevated: raised, colorBgLayout: token("ground"), colorBgMask: token("shade"),
      colorFillTertiary: sunken, colorFillQuaternary: sunken, colorFillSecondary: sunken, colorBgContainerDisabled: sunken,
      colorBorder: token("line-strong"), colorBorderSecondary: token("line"), colorSplit: token("line"),
      borderRadius: px("radius"), borderRadiusLG: px("radius"), borderRadiusSM: px("radius") / 2, borderRadiusXS: px("radius") / 2,
      boxShadow: token("shadow"), boxShadowSecondary: token("shadow"),
      fontFamily: token("font"), fontFamilyCode: token("mono"), fontSize: px("t-text"), fontSizeLG: px("t-lead"), fontSizeSM: px("t-small"),
      controlHeight: touch ? px("target") : px("target") - 8, controlOutlineWidth: 0, lineWidthFocus: 3, lineWidth: 1,
      motionDurationFast: token("move"), motionDurationMid: token("move"), motionDurationSlow: token("move"),
      motion: px("move") > 0, sizeUnit: px("s1"), sizeStep: px("s1"),
    },
    components: {
      Button: { fontWeight: 600, primaryShadow: "none", defaultShadow: "none", dangerShadow: "none", dangerColor: token("on-fail") },
      Drawer: { paddingLG: px("s6") },
    },
  };
}
