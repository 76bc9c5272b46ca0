// The second net: what is typed stands in this browser at once, for when neither server nor page live on.
"use strict";

const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

/** A name that nobody else has. (randomUUID is for HTTPS alone.) */
export const newKey = () => hex(crypto.getRandomValues(new Uint8Array(16)));

/** The name of this tab, which it keeps when it is loaded again; a duplicated tab gets its own. */
function tabName() {
  const isReload = performance.getEntriesByType("navigation")[0]?.type !== "navigate";
  const name = (isReload && sessionStorage.getItem("work-tab")) || newKey().slice(0, 8);
  sessionStorage.setItem("work-tab", name);
  return name;
}

export class Net {
  constructor(store, person) {
    this.owner = `${store}:${person}`; // another store may be served under the same address
    try { this.tab = tabName(); } catch { this.tab = "only"; }
  }

  #name(kind, tab = this.tab) { return `work:${this.owner}:${kind}:${tab}`; }

  /** Keep a value of a kind ("7", an assignment's; "pending", a save's). False where the browser has no room. */
  keep(kind, value, tab = this.tab) {
    try {
      localStorage.setItem(this.#name(kind, tab), JSON.stringify(value));
      return true;
    } catch {
      return false;
    }
  }

  drop(kind, tab = this.tab) {
    try { localStorage.removeItem(this.#name(kind, tab)); } catch { /* then it was not kept either */ }
  }

  /** All that is kept of a kind: `{tab, ...value}`, the newest first. */
  all(kind) {
    const prefix = this.#name(kind, "");
    try {
      return Object.keys(localStorage).filter((name) => name.startsWith(prefix))
        .map((name) => ({ ...JSON.parse(localStorage.getItem(name)), tab: name.slice(prefix.length) }))
        .sort((one, other) => other.at - one.at);
    } catch {
      return [];
    }
  }
}
