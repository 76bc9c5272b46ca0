// Which of the kept texts of an item stands in the form, and which are offered beside it: none is lost.
"use strict";
import { describe } from "./work_dialogs.js";
import { answerOf, emptySheet, saysSomething, sheetFrom, sheetOf, spelled } from "./work_sheet.js";

/**
 * The sheet to begin with and the others: `{sheet, isNew, others}`. `isNew`: the server has it not yet. Each other is
 * `{why, sheet}`, with `unsaved` (its id) or `tab` where it can be thrown away.
 */
export function sort(task, net) {
  const stored = task.answer && task.answer.skip === null ? sheetOf(task.answer) : emptySheet();
  const draft = draftOf(task);
  const isFresh = draft !== null && task.draft_based_on === task.revision;
  const nets = net.all(String(task.assignment)).map((one) => ({ ...one, why: "window", sheet: sheetFrom(one.sheet) }));
  const mine = newest(nets.filter((one) => one.basedOn === task.revision), net.tab);
  const isHere = mine && (!isFresh || mine.tab === draft.tab || mine.version >= task.draft_version);
  const chosen = isHere ? mine : isFresh ? draft : { sheet: stored };
  const others = [...task.unsaved.map(refusedAnswer), ...nets, ...(draft && !(isHere && mine.tab === draft.tab) ? [draft] : [])];
  return {
    sheet: structuredClone(chosen.sheet),
    isNew: Boolean(isHere) && spelled(mine.sheet) !== spelled(draft?.sheet ?? stored),
    others: distinct(others, [chosen.sheet, stored], task),
  };
}

/** What the server keeps of an item, whichever window it is from. */
export function draftOf({ draft }) {
  return draft === null ? null : { why: "draft", sheet: sheetFrom(draft), tab: draft.tab };
}

const newest = (nets, tab) => nets.find((one) => one.tab === tab) ?? nets[0];

const refusedAnswer = ({ id, body }) => ({ why: "unsaved", unsaved: id, sheet: sheetOf(body) });

function distinct(others, shown, task) {
  const known = new Set(shown.map(spelled));
  return others.filter(({ sheet, unsaved }) => {
    const isNew = saysSomething(answerOf(sheet, task)) && (unsaved !== undefined || !known.has(spelled(sheet)));
    known.add(spelled(sheet));
    return isNew;
  });
}

/** Show the others; `take(one)` puts one into the form, `drop(one)` throws it away. */
export function showOthers(element, task, others, words, { take, drop }) {
  element.hidden = !others.length;
  element.querySelector("ul").replaceChildren(...others.map((one) => {
    const item = document.getElementById("kept-one").content.firstElementChild.cloneNode(true);
    item.querySelector("[data-why]").textContent = words[`kept.${one.why}`];
    describe(item.querySelector("ul"), answerOf(one.sheet, task), words);
    item.querySelector("[data-take]").addEventListener("click", () => take(one));
    item.querySelector("[data-drop]").addEventListener("click", () => drop(one));
    return item;
  }));
}
