// The keys. None fires while an input method composes, while one types, or while a question stands before the page.
"use strict";
import { chooseDigit, currentGroup, makeCurrent, step } from "./work_scale.js";

const TYPED = "textarea, input:not([type=radio], [type=checkbox]), select, [contenteditable]";
const PREFERENCE = "work-single-keys";

const areOn = () => { try { return localStorage.getItem(PREFERENCE) !== "off"; } catch { return true; } };

/** Single keys can be turned off: a voice or a cat must not rate anything. */
export function bindPreference(box) {
  box.checked = areOn();
  box.addEventListener("change", () => { try { localStorage.setItem(PREFERENCE, box.checked ? "on" : "off"); } catch { /* for this page */ } });
}

/** `actions` are functions by name: save, stay, and those of single keys. */
export function bindKeys(actions) {
  document.addEventListener("keydown", (event) => {
    if (event.isComposing || event.keyCode === 229 || event.defaultPrevented) return;
    if (document.querySelector("dialog[open]")) return;
    if ((event.ctrlKey || event.metaKey) && !event.altKey) withControl(event, actions);
    else if (event.key === "Escape" && event.target.matches?.(TYPED)) event.target.blur();
    else if (!event.altKey && areOn() && !event.target.matches?.(TYPED)) single(event, actions);
  });
  document.addEventListener("focusin", (event) => {
    const group = event.target.closest?.("[data-group]");
    if (group) makeCurrent(group);
  });
}

function withControl(event, actions) {
  const name = event.key === "Enter" ? "save" : event.key.toLowerCase() === "s" ? "stay" : null;
  if (!name) return;
  event.preventDefault();
  actions[name]();
}

const SINGLE = {
  j: () => step(1), k: () => step(-1),
  Backspace: () => currentGroup()?.dispatchEvent(new Event("clear")),
};

function single(event, actions) {
  const outputId = Number(event.target.closest?.("[data-output]")?.dataset.output ?? currentGroup()?.closest("[data-output]")?.dataset.output);
  const move = SINGLE[event.key] ?? (actions[event.key] && (() => actions[event.key](outputId || null)));
  if (/^\d$/.test(event.key) ? chooseDigit(event.key) : move) {
    event.preventDefault();
    move?.();
  }
}
