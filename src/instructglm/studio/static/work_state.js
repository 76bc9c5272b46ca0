// What the page says of itself: the state of keeping and saving, and notices that want to be read.
"use strict";

const $ = (id) => document.getElementById(id);
const WORRYING = new Set(["away", "replaced", "not-held", "refused", "no-room"]);

/** 12:03:07 as the reader writes it. */
export const clock = (ms) => new Date(ms).toLocaleTimeString(document.documentElement.lang, { hourCycle: "h23" });

/** What is being kept; what worries is read out, the rest is only to be seen. */
export function state(name, text, faults = []) {
  const said = [text, ...faults].join(" ");
  $("state").dataset.state = name;
  $("state").textContent = said;
  const worry = WORRYING.has(name) ? said : "";
  if ($("worry").textContent !== worry) $("worry").textContent = worry;
}

/** A notice above the item, `kind` "warn" or "good"; none without a kind. */
export function notice(kind, text = "", faults = []) {
  const element = $("notice"), list = document.createElement("ul");
  element.hidden = kind === null;
  if (kind === null) return;
  element.className = `notice ${kind}`;
  list.append(...faults.map((fault) => Object.assign(document.createElement("li"), { textContent: fault })));
  element.replaceChildren(text, ...(faults.length ? [list] : []));
  element.scrollIntoView({ block: "nearest" });
}
