// Ranking outputs: by drag, by the arrow keys, by buttons. Those in one row are tied; what is not placed is not ranked.
"use strict";
import { letter } from "./work_sheet.js";
import { show } from "./work_text.js";

const EXCERPT = 90;

/** The moves: each takes the rows from the best to the last, and gives new ones. */
export const MOVES = {
  up: (rows, id) => shifted(rows, id, -1),
  down: (rows, id) => shifted(rows, id, 1),
  tie: (rows, id) => {
    const place = rows.findIndex((row) => row.includes(id));
    if (place <= 0) return rows;
    return rows.map((row, at) => (at === place - 1 ? [...row, id] : row.filter((one) => one !== id))).filter((row) => row.length);
  },
  out: (rows, id) => without(rows, id),
};

const without = (rows, id) => rows.map((row) => row.filter((one) => one !== id)).filter((row) => row.length);

/** One step up or down: out of a tie into a row of its own; from outside to the end (up) or the end too (down). */
function shifted(rows, id, by) {
  const place = rows.findIndex((row) => row.includes(id));
  if (place < 0) return [...rows, [id]];
  if (rows[place].length > 1) {
    const rest = rows[place].filter((one) => one !== id);
    return [...rows.slice(0, place), ...(by < 0 ? [[id], rest] : [rest, [id]]), ...rows.slice(place + 1)];
  }
  const moved = without(rows, id), at = Math.min(moved.length, Math.max(0, place + by));
  return [...moved.slice(0, at), [id], ...moved.slice(at)];
}

/** Put an output before row `at`, or into it. */
export function placed(rows, id, at, isInto) {
  if (isInto) return rows.map((row, place) => (place === at ? [...row.filter((one) => one !== id), id] : row.filter((one) => one !== id))).filter((row) => row.length);
  const marked = rows.map((row) => row.filter((one) => one !== id));
  return [...marked.slice(0, at), [id], ...marked.slice(at)].filter((row) => row.length);
}

const KEYS = { ArrowUp: "up", ArrowDown: "down", "=": "tie", t: "tie", Delete: "out", Backspace: "out" };

export class Ranking {
  /** `element` is filled; `rows` are told by `changed(rows)`. */
  constructor(element, outputs, rows, words, changed) {
    Object.assign(this, { element, outputs, rows, words, changed });
    this.places = element.querySelector("[data-places]");
    this.tray = element.querySelector("[data-tray]");
    this.told = element.querySelector("[data-told]");
    this.#draw();
  }

  #nameOf(id) { return letter(this.outputs.findIndex((output) => output.id === id)); }

  #draw() {
    const ranked = new Set(this.rows.flat());
    this.places.replaceChildren(...this.rows.map((row, at) => this.#row(row, at)));
    this.tray.replaceChildren(...this.outputs.filter((one) => !ranked.has(one.id)).map((one) => this.#chip(one)));
    this.tray.parentElement.hidden = !this.tray.childElementCount;
  }

  #row(row, at) {
    const item = document.createElement("li"), number = document.createElement("span");
    item.dataset.at = at;
    number.className = "place";
    number.textContent = at + 1;
    item.append(number, ...row.map((id) => this.#chip(this.outputs.find((one) => one.id === id))).filter(Boolean));
    return item;
  }

  #chip(output) {
    const chip = document.getElementById("chip").content.firstElementChild.cloneNode(true);
    const name = this.#nameOf(output.id), handle = chip.querySelector("[data-handle]");
    chip.dataset.id = output.id;
    chip.querySelector("b").textContent = name;
    show(chip.querySelector("[data-excerpt]"), output.text.slice(0, EXCERPT).replace(/\s+/g, " "));
    handle.setAttribute("aria-label", this.words["rank.handle"].replace("{name}", name));
    handle.addEventListener("keydown", (event) => this.#key(event, output.id));
    handle.addEventListener("pointerdown", (event) => this.#drag(event, chip, output.id));
    for (const button of chip.querySelectorAll("[data-move]")) {
      button.setAttribute("aria-label", `${name}: ${button.title}`);
      button.addEventListener("click", () => this.#move(button.dataset.move, output.id, `[data-move="${button.dataset.move}"]`));
    }
    return chip;
  }

  #key(event, id) {
    const move = KEYS[event.key];
    if (!move || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    this.#move(move, id, "[data-handle]");
  }

  #move(move, id, focus) {
    this.#set(MOVES[move](this.rows, id), id);
    this.element.querySelector(`[data-id="${id}"] ${focus}`)?.focus();
  }

  #set(rows, id) {
    this.rows = rows;
    this.#draw();
    const place = rows.findIndex((row) => row.includes(id)), tied = place >= 0 && rows[place].length > 1;
    const say = place < 0 ? "rank.out" : tied ? "rank.tied" : "rank.at";
    this.told.textContent = this.words[say].replace("{name}", this.#nameOf(id)).replace("{place}", place + 1);
    this.changed(rows);
  }

  #drag(event, chip, id) {
    if (event.button !== 0) return;
    const handle = event.currentTarget;
    let target = null;
    const over = (at) => {
      target = this.#targetAt(at.clientX, at.clientY);
      chip.classList.add("dragged");
      this.#mark(target);
    };
    const end = (drop) => {
      handle.removeEventListener("pointermove", over);
      chip.classList.remove("dragged");
      this.#mark(null);
      if (drop.type === "pointerup" && target) this.#set(target.isOut ? without(this.rows, id) : placed(this.rows, id, target.at, target.isInto), id);
    };
    handle.setPointerCapture(event.pointerId);
    handle.addEventListener("pointermove", over);
    handle.addEventListener("pointerup", end, { once: true });
    handle.addEventListener("pointercancel", end, { once: true });
  }

  /** What lies there: the middle of a row (into it), its edges (before or after), the tray (out), or nothing. */
  #targetAt(x, y) {
    const found = document.elementFromPoint(x, y);
    if (this.tray.contains(found)) return { isOut: true, element: this.tray };
    const row = found?.closest("[data-at]");
    if (row && this.places.contains(row)) {
      const { top, height } = row.getBoundingClientRect(), part = (y - top) / height, at = Number(row.dataset.at);
      if (part > 0.25 && part < 0.75) return { at, isInto: true, element: row };
      return { at: part <= 0.25 ? at : at + 1, isInto: false, element: row, isAfter: part > 0.5 };
    }
    return this.places.parentElement.contains(found) ? { at: this.rows.length, isInto: false, element: this.places } : null;
  }

  #mark(target) {
    for (const one of this.element.querySelectorAll(".into, .before, .after")) one.classList.remove("into", "before", "after");
    if (target) target.element.classList.add(target.isInto || target.isOut ? "into" : target.isAfter ? "after" : "before");
  }
}
