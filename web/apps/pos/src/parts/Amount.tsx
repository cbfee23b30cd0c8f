/** An amount as a picture: small sign, large figures; for readers, a sentence. */
export function Amount({ value, label }: { value: string; label: string }) {
  return (
    <p className="amount num">
      <span className="quiet-for-eyes">{`${label} ${value || "0"} CNY`}</span>
      <span className="sign" aria-hidden="true">¥</span>
      <span aria-hidden="true">{value || "0"}</span>
    </p>
  );
}
