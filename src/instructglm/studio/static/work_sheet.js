// What stands in the form, as a plain value, and the answer that it makes.
"use strict";

export const emptySheet = () => ({
  written: [], edits: {}, ratings: {}, ranking: [], label: null, rejected: {}, refused: null, flag: null, comment: "",
});

/** A sheet as it was kept, whatever program kept it: what is missing or unknown is left out. */
export function sheetFrom(kept) {
  const empty = emptySheet();
  const fits = (name) => kept?.[name] !== undefined && Array.isArray(kept[name]) === Array.isArray(empty[name]);
  for (const name of Object.keys(empty)) if (fits(name)) empty[name] = structuredClone(kept[name]);
  return empty;
}

/** The sheet of an answer that was given. */
export function sheetOf(answer) {
  const sheet = emptySheet();
  sheet.written = [...answer.written];
  for (const { output, text } of answer.edits) sheet.edits[output] = text;
  for (const { output, criterion, value } of answer.ratings) (sheet.ratings[output] ??= {})[criterion] = value;
  const ranks = [...new Set(answer.ranks.map((one) => one.rank))].sort((a, b) => a - b);
  sheet.ranking = ranks.map((rank) => answer.ranks.filter((one) => one.rank === rank).map((one) => one.output));
  for (const { output, reason } of answer.rejected) {
    if (output === null) sheet.refused = reason;
    else sheet.rejected[output] = reason;
  }
  return Object.assign(sheet, { label: answer.label, flag: answer.flag, comment: answer.comment ?? "" });
}

/** The answer that a sheet makes of a task: empty fields say nothing, an edit that changes nothing is none. */
export function answerOf(sheet, task) {
  const shown = new Map(task.outputs.map((output) => [output.id, output.text]));
  const byOutput = (held) => Object.entries(held).map(([id, value]) => [Number(id), value]);
  const ratings = byOutput(sheet.ratings).flatMap(([output, values]) =>
    Object.entries(values).map(([criterion, value]) => ({ output, criterion, value })));
  const rejected = byOutput(sheet.rejected).map(([output, reason]) => ({ output, reason }));
  if (sheet.refused !== null) rejected.push({ output: null, reason: sheet.refused });
  return {
    written: sheet.written.filter((text) => text !== ""),
    edits: byOutput(sheet.edits).filter(([id, text]) => text !== shown.get(id)).map(([output, text]) => ({ output, text })),
    ratings,
    ranks: sheet.ranking.flatMap((tied, place) => tied.map((output) => ({ output, rank: place + 1 }))),
    label: sheet.label, rejected, flag: sheet.flag, comment: sheet.comment === "" ? null : sheet.comment,
  };
}

/** Whether anything is said. */
export function saysSomething(answer) {
  const { written, edits, ratings, ranks, rejected, label, flag, comment } = answer;
  return [written, edits, ratings, ranks, rejected].some((held) => held.length) || [label, flag, comment].some((one) => one !== null);
}

/** What is asked and not answered: ratings, a label, an output where there is none to judge. */
export function missing(sheet, task) {
  if (sheet.refused !== null) return { ratings: 0, label: 0, texts: 0 };
  const criteria = Object.keys(task.criteria);
  const judged = task.outputs.filter((output) => sheet.rejected[output.id] === undefined);
  const given = judged.flatMap((output) => criteria.filter((name) => sheet.ratings[output.id]?.[name] !== undefined));
  const isOpen = !task.choices.length && !task.outputs.length;
  return {
    ratings: judged.length * criteria.length - given.length,
    label: task.choices.length && sheet.label === null ? 1 : 0,
    texts: isOpen && !sheet.written.some(Boolean) ? 1 : 0,
  };
}

/** One spelling for one value, to see whether two are equal. */
export const spelled = (value) => JSON.stringify(value, (_, held) =>
  held && typeof held === "object" && !Array.isArray(held) ? Object.fromEntries(Object.entries(held).sort()) : held);

/** A, B, C ... as outputs are called. */
export const letter = (place) => (place < 26 ? String.fromCharCode(65 + place) : `${letter(Math.floor(place / 26) - 1)}${letter(place % 26)}`);
