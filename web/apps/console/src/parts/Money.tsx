import type { Money as Value } from "../api/console.ts";
import { grouped, signOf } from "./money.ts";

/** An amount as a picture: small sign, tabular figures; for readers, with its currency's name. */
export function Money({ value, back = false, size }: { value: Value; back?: boolean; size?: "big" }) {
  const below = value.amount.startsWith("-") !== back && !/^-?0*\.?0*$/.test(value.amount);
  const figures = grouped(value.amount.replace("-", ""));
  return (
    <span className={size ? `money num ${size}` : "money num"}>
      <span className="quiet-for-eyes">{`${below ? "−" : ""}${figures} ${value.currency}`}</span>
      <span aria-hidden="true">
        {below && "−"}
        <span className="sign">{signOf(value.currency)}</span>
        {figures}
      </span>
    </span>
  );
}
