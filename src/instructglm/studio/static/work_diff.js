// What an edit changed, word by word; a Chinese character is a word here.
"use strict";
import { pieces } from "./work_text.js";

const WORDS = /\p{Script=Han}|[\p{L}\p{N}\p{M}]+|\s+|[^]/gu;
const MOST_CELLS = 2_000_000; // of the table of common words: past that the changed middle is told as a whole

/** The pieces of both texts: [" ", text] stands in both, ["-", text] in the old one alone, ["+", text] in the new. */
export function diff(before, after) {
  const [old, now] = [before.match(WORDS) ?? [], after.match(WORDS) ?? []];
  let start = 0, end = 0;
  const most = Math.min(old.length, now.length);
  while (start < most && old[start] === now[start]) start++;
  while (end < most - start && old.at(-1 - end) === now.at(-1 - end)) end++;
  const [gone, come] = [old.slice(start, old.length - end), now.slice(start, now.length - end)];
  const middle = gone.length * come.length > MOST_CELLS ? whole(gone, come) : steps(gone, come);
  return joined([...old.slice(0, start).map(same), ...middle, ...old.slice(old.length - end).map(same)]);
}

const same = (word) => [" ", word];

function whole(gone, come) {
  return [["-", gone.join("")], ["+", come.join("")]];
}

/** By the longest common subsequence. */
function steps(old, now) {
  const width = now.length + 1, longest = new Uint32Array((old.length + 1) * width), made = [];
  for (let i = old.length - 1; i >= 0; i--) {
    for (let j = now.length - 1; j >= 0; j--) {
      const [down, right] = [longest[(i + 1) * width + j], longest[i * width + j + 1]];
      longest[i * width + j] = old[i] === now[j] ? longest[(i + 1) * width + j + 1] + 1 : Math.max(down, right);
    }
  }
  let i = 0, j = 0;
  while (i < old.length && j < now.length) {
    if (old[i] === now[j]) { made.push(same(old[i])); i++; j++; }
    else if (longest[(i + 1) * width + j] >= longest[i * width + j + 1]) made.push(["-", old[i++]]);
    else made.push(["+", now[j++]]);
  }
  return [...made, ...old.slice(i).map((word) => ["-", word]), ...now.slice(j).map((word) => ["+", word])];
}

function joined(changes) {
  const made = [];
  for (const [kind, text] of changes) {
    if (!text) continue;
    if (made.length && made.at(-1)[0] === kind) made.at(-1)[1] += text;
    else made.push([kind, text]);
  }
  return made;
}

const NAMES = { " ": "span", "-": "del", "+": "ins" };

export function showDiff(element, before, after) {
  element.replaceChildren(...diff(before, after).map(([kind, text]) => {
    const piece = document.createElement(NAMES[kind]);
    piece.append(...pieces(text));
    return piece;
  }));
}
