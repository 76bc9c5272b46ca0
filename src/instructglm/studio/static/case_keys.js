// The keys of a case. None fires while a text is being composed, nor, but for Ctrl+Enter and Escape, within a text.
"use strict";

const isText = (field) => field.matches?.("textarea, input:not([type=checkbox], [type=radio]), select");
const hasOwnEnter = (field) => field.matches?.("a, button, summary");

export function listen(moves) {
  document.addEventListener("keydown", (event) => {
    if (event.isComposing || event.keyCode === 229) return;
    const move = isText(event.target) ? inText(event, moves) : onPage(event, moves);
    if (!move) return;
    event.preventDefault();
    move();
  });
}

function inText(event, moves) {
  if (event.key === "Escape") return () => event.target.blur();
  return event.key === "Enter" && (event.ctrlKey || event.metaKey) ? moves.enter : null;
}

function onPage(event, moves) {
  if (event.altKey) return null;
  if (event.key === "Enter") return hasOwnEnter(event.target) && !event.ctrlKey ? null : moves.enter;
  if (event.ctrlKey || event.metaKey) return null;
  const digit = /^(?:Digit|Numpad)([1-9])$/.exec(event.code)?.[1];
  if (digit) return () => (event.shiftKey ? moves.label : moves.digit)(Number(digit));
  const name = event.key.toLowerCase();
  return name.length === 1 && !event.shiftKey && Object.hasOwn(moves, name) ? moves[name] : null;
}
