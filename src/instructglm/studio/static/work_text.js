// Texts as they are: shown without being HTML, and typed without a text field changing what nobody touched.
"use strict";

// The same characters as in report/visible.py: those that would hide or turn what follows.
const UNSEEN = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2028\u2029\u2060\u2066-\u2069\ufeff]/g;
const MOST_SIGNS = 500; // of one text; past them a replacement sign will do

function sign(character) {
  const span = document.createElement("span");
  span.className = "unseen";
  span.textContent = "U+" + character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
  return span;
}

export function pieces(text) {
  const shown = text.replaceAll("\r\n", "\n");
  const found = [...shown.matchAll(UNSEEN)];
  if (found.length > MOST_SIGNS) return [shown.replace(UNSEEN, "\ufffd")];
  const made = [];
  let from = 0;
  for (const one of found) {
    made.push(shown.slice(from, one.index), sign(one[0]));
    from = one.index + 1;
  }
  return [...made, shown.slice(from)];
}

export function show(element, text) {
  element.replaceChildren(...pieces(text));
}

/** What a text field makes of a text. */
const asField = (text) => text.replace(/\r\n?/g, "\n");

/** Where the character `index` of a field's text stands in the exact one. */
function placeOf(exact, index) {
  if (!exact.includes("\r")) return index;
  let at = 0;
  for (let left = index; left > 0; left--) at += exact[at] === "\r" && exact[at + 1] === "\n" ? 2 : 1;
  return at;
}

/** The exact text after a field was changed: what the change did not touch stays as it was. */
export function spliced(exact, field) {
  const old = asField(exact), most = Math.min(old.length, field.length);
  if (old === field) return exact;
  let start = 0, end = 0;
  while (start < most && old[start] === field[start]) start++;
  while (end < most - start && old[old.length - 1 - end] === field[field.length - 1 - end]) end++;
  const middle = field.slice(start, field.length - end);
  return exact.slice(0, placeOf(exact, start)) + middle + exact.slice(placeOf(exact, old.length - end));
}

/**
 * A text field whose `text` is exact: line ends and control characters stay as they came or were pasted.
 * While an input method composes, nothing is taken over.
 */
export class ExactField {
  constructor(field, text, changed) {
    Object.assign(this, { field, changed, text, pasted: null });
    field.value = text;
    field.addEventListener("paste", (event) => this.#remember(event));
    field.addEventListener("input", (event) => event.isComposing || this.#take());
    field.addEventListener("compositionend", () => this.#take());
  }

  #remember(event) {
    const raw = event.clipboardData?.getData("text/plain") ?? "";
    const { selectionStart: start, selectionEnd: end } = this.field;
    const [before, after] = [this.text.slice(0, placeOf(this.text, start)), this.text.slice(placeOf(this.text, end))];
    this.pasted = before + raw + after;
  }

  #take() {
    const { value } = this.field;
    const isPaste = this.pasted !== null && asField(this.pasted) === value;
    const text = isPaste ? this.pasted : spliced(this.text, value);
    this.pasted = null;
    if (text === this.text) return;
    this.text = text;
    this.changed(text);
  }
}

const MAKERS = {
  heading: (block) => withText(`h${Math.min(block.level + 2, 6)}`, block.texts[0]),
  paragraph: (block) => withText("p", block.texts[0]),
  bullets: (block) => listOf("ul", block.texts),
  numbers: (block) => listOf("ol", block.texts),
};

function withText(name, text) {
  const element = document.createElement(name);
  element.className = name === "p" ? "text" : "";
  show(element, text);
  return element;
}

function listOf(name, texts) {
  const list = document.createElement(name);
  list.append(...texts.map((text) => withText("li", text)));
  return list;
}

/** A guideline as the server took it apart. */
export function showBlocks(element, blocks) {
  element.replaceChildren(...blocks.map((block) => MAKERS[block.kind](block)));
}
