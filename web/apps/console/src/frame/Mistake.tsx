import { Component, type ReactNode } from "react";

/** Catches what this page itself got wrong, and offers a way on instead of an empty screen. */
export class Mistake extends Component<{ words: [what: string, then: string, again: string]; children: ReactNode }, { failed: boolean }> {
  override state = { failed: false };
  static getDerivedStateFromError() {
    return { failed: true };
  }
  override render() {
    if (!this.state.failed) return this.props.children;
    const [what, then, again] = this.props.words;
    return (
      <section className="page">
        <div className="nothing" role="alert">
          <p className="lead">{what}</p>
          <p>{then}</p>
          <button type="button" className="plain" onClick={() => location.reload()}>{again}</button>
        </div>
      </section>
    );
  }
}
