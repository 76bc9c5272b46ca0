// What a reviewer chose and typed, kept in this browser until the verdict is stored.
"use strict";

const name = (data) => `verdict ${data.person} ${data.project} ${data.instruction}`;

export function keep(data, said) {
  try { localStorage.setItem(name(data), JSON.stringify(said)); } catch { /* no room or no storage: it stays on the page */ }
}

export function restore(data) {
  try { return JSON.parse(localStorage.getItem(name(data))); } catch { return null; }
}

export function forget(data) {
  try { localStorage.removeItem(name(data)); } catch { /* there is none */ }
}
