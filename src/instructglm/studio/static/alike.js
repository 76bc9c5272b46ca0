// While an instruction is typed: those that are there already and say nearly the same.
"use strict";

const PAUSE_MS = 400, SHORTEST = 8; // characters: of fewer, everything is alike
const field = document.getElementById("instruction"), place = document.getElementById("alike");
const csrf = document.querySelector('meta[name="csrf"]').content;
let timer = 0, newest = 0;

function row(found) {
  const item = document.createElement("li"), link = document.createElement("a");
  link.href = `/projects/${place.dataset.project}/items/${found.instruction}`;
  link.target = "_blank";
  link.textContent = found.text;
  const percent = new Intl.NumberFormat(document.documentElement.lang, { style: "percent" }).format(found.similarity);
  item.append(link, ` · ${percent}`);
  return item;
}

async function look() {
  const number = ++newest, text = field.value;
  if (text.trim().length < SHORTEST) {
    place.hidden = true;
    return;
  }
  const headers = { "X-CSRF-Token": csrf, "Content-Type": "application/json" };
  try {
    const answer = await fetch(`/api/projects/${place.dataset.project}/alike`, { method: "POST", headers, body: JSON.stringify({ text }) });
    if (!answer.ok || number !== newest) return;
    const found = await answer.json();
    place.querySelector("ul").replaceChildren(...found.map(row));
    place.hidden = found.length === 0;
  } catch { /* the server is away: storing will tell */ }
}

field.addEventListener("input", (event) => {
  clearTimeout(timer);
  if (!event.isComposing) timer = setTimeout(look, PAUSE_MS);
});
field.addEventListener("compositionend", () => { timer = setTimeout(look, PAUSE_MS); });
if (field.value) look();
