import { useLanguage, type Language } from "@huika/ui";

const locales = { zh: "zh-CN", en: "en-GB" } as const;
const made = new Map<string, Intl.DateTimeFormat>();

function format(language: Language, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const name = language + JSON.stringify(options);
  const f = made.get(name) ?? new Intl.DateTimeFormat(locales[language], { hour12: false, ...options });
  made.set(name, f);
  return f;
}

const DAY: Intl.DateTimeFormatOptions = { month: "2-digit", day: "2-digit" };
const TIME: Intl.DateTimeFormatOptions = { hour: "2-digit", minute: "2-digit", second: "2-digit" };

/** Day and time in the zone of this screen. */
export const moment = (language: Language, at: string): string => `${format(language, DAY).format(new Date(at))} ${format(language, TIME).format(new Date(at))}`;

/** The time of day of a moment in ms. */
export const clock = (language: Language, ms: number): string => format(language, TIME).format(ms);

/** The zone of all times on this screen, such as GMT+8. */
export const zone = (language: Language): string => format(language, { timeZoneName: "shortOffset" }).formatToParts(new Date()).find((p) => p.type === "timeZoneName")?.value ?? "";

/** A moment; exact adds milliseconds. */
export function When({ at, exact = false }: { at: string; exact?: boolean }) {
  const { language } = useLanguage();
  const d = new Date(at);
  return (
    <time dateTime={at} className="num when" title={`${d.toLocaleString(locales[language])} ${zone(language)}`}>
      {moment(language, at)}
      {exact && <small>.{String(d.getMilliseconds()).padStart(3, "0")}</small>}
    </time>
  );
}
