// One case before a reviewer: what they choose and type, by mouse or by key, kept in the browser until it is stored.
"use strict";
import { keep, restore, forget } from "./case_kept.js";
import { listen } from "./case_keys.js";
import { showOpinion } from "./case_opinion.js";

const data = JSON.parse(document.getElementById("data").textContent);
const form = document.getElementById("verdict");
const outputs = [...document.querySelectorAll(".output")];
const told = document.getElementById("told");
let lastChosen = outputs[0];
let key = crypto.randomUUID ? crypto.randomUUID() : `${Date.now()}-${Math.random()}`;
let isSending = false;
let saidNothing = false;

const box = (output) => output.querySelector("input[name=accepted]");
const edited = (output) => output.querySelector("textarea[name=edit]");
const say = (word, figures = {}) =>
  Object.entries(figures).reduce((text, [name, value]) => text.replace(`{${name}}`, () => value), data.words[word]);

function tell(texts, kind) {
  told.replaceChildren(...texts.map((text) => {
    const line = document.createElement("p");
    line.className = `notice ${kind}`;
    line.textContent = text;
    return line;
  }));
}

function chosenLabel() {
  const found = form.querySelector("input[name=label]:checked");
  return found && !("none" in found.dataset) ? found.value : null;
}

function isEdited(output) {
  const own = edited(output);
  return !own.closest(".own").hidden && own.value.trim() !== "" && own.value !== own.dataset.original;
}

function verdict() {
  const own = document.getElementById("own").value;
  return {
    accepted: outputs.filter((one) => box(one).checked).map((one) => Number(one.dataset.output)),
    label: chosenLabel(),
    reason: document.getElementById("reason").value,
    written: own.trim() ? [own] : [],
    edits: outputs.filter(isEdited).map((one) => ({ output: Number(one.dataset.output), text: edited(one).value })),
  };
}

function changed() {
  key = crypto.randomUUID ? crypto.randomUUID() : `${Date.now()}-${Math.random()}`;
  saidNothing = false;
  for (const one of outputs) one.classList.toggle("chosen", box(one).checked);
  keep(data, verdict());
}

function hasReason(said) {
  if (said.reason.trim()) return true;
  tell([say("no_reason")], "warn");
  document.getElementById("reason").focus();
  return false;
}

function mayBeSent(said) {
  if (!hasReason(said)) return false;
  const isEmpty = !said.accepted.length && !said.written.length && !said.edits.length && said.label === null;
  if (isEmpty && !saidNothing) {
    saidNothing = true;
    tell([say("nothing")], "warn");
    return false;
  }
  return true;
}

async function send(what, body) {
  if (isSending) return;
  isSending = true;
  tell([say("sending")], "info");
  const query = data.domain === null ? "" : `?domain=${encodeURIComponent(data.domain)}`;
  try {
    const answer = await fetch(`/api/projects/${data.project}/cases/${data.instruction}/${what}${query}`, {
      method: "POST",
      headers: {
        "Content-Type": "application/json",
        "X-CSRF-Token": document.querySelector("meta[name=csrf]").content,
      },
      body: body && JSON.stringify(body),
    });
    await answered(answer);
  } catch {
    tell([say("not_reached")], "warn");
  } finally {
    isSending = false;
  }
}

async function answered(answer) {
  const found = await answer.json();
  if (answer.ok) {
    forget(data);
    tell([say("stored")], "good");
    location.assign(found.next);
  } else if (answer.status === 409) {
    overtaken(found);
  } else {
    tell([...found.error.faults, found.error.hint].filter(Boolean), "warn");
  }
}

function overtaken(found) {
  const lines = [];
  if (found.stored_revision > data.revision) {
    lines.push(say("decided_meanwhile", { reason: found.stored.reason }));
  }
  if (found.num_new_answers) lines.push(say("answered_meanwhile", { n: found.num_new_answers }));
  tell(lines, "warn");
  const renew = document.getElementById("renew");
  renew.hidden = false;
  renew.querySelector("a").focus();
}

function decide() {
  const said = verdict();
  if (mayBeSent(said)) send("verdict", { ...said, revision: data.revision, seen_event: data.seen_event, key });
}

function setAside() {
  const { reason } = verdict();
  if (hasReason({ reason })) send("flag", { reason });
}

function toggle(output) {
  box(output).checked = !box(output).checked;
  lastChosen = output;
  changed();
}

function toggleAll() {
  const all = outputs.every((one) => box(one).checked);
  for (const one of outputs) box(one).checked = !all;
  changed();
}

function openEdit(output, text) {
  if (!output) return;
  const own = edited(output);
  own.closest(".own").hidden = false;
  output.querySelector(".edit").setAttribute("aria-expanded", "true");
  if (!own.value) own.value = text ?? own.dataset.original;
  own.focus();
}

function dropEdit(output) {
  edited(output).value = "";
  edited(output).closest(".own").hidden = true;
  output.querySelector(".edit").setAttribute("aria-expanded", "false");
  output.querySelector(".edit").focus();
  changed();
}

function openOwn() {
  document.getElementById("write").open = true;
  document.getElementById("own").focus();
}

function chooseLabel(number) {
  const found = form.querySelector(`input[name=label][data-number="${number}"]`);
  if (!found) return;
  found.checked = true;
  changed();
}

function putBack(said) {
  for (const one of outputs) {
    const id = Number(one.dataset.output);
    box(one).checked = said.accepted.includes(id);
    const edit = said.edits.find((found) => found.output === id);
    if (edit) openEdit(one, edit.text);
  }
  for (const one of form.querySelectorAll("input[name=label]")) {
    one.checked = said.label === null ? "none" in one.dataset : !("none" in one.dataset) && one.value === said.label;
  }
  document.getElementById("reason").value = said.reason;
  if (said.written.length) {
    openOwn();
    document.getElementById("own").value = said.written[0];
  }
  document.activeElement?.blur();
  tell([say("restored")], "info");
}

for (const output of outputs) {
  box(output).addEventListener("change", () => { lastChosen = output; changed(); });
  output.querySelector(".edit").addEventListener("click", () => { openEdit(output); changed(); });
  output.querySelector(".drop").addEventListener("click", () => dropEdit(output));
}
document.addEventListener("input", changed);
form.addEventListener("submit", (event) => { event.preventDefault(); decide(); });
form.noValidate = true; // the page says itself what is missing
document.getElementById("more").addEventListener("click", () => send("more"));
document.getElementById("flag").addEventListener("click", setAside);
document.getElementById("opinion").addEventListener("click", () => showOpinion(data, outputs, say));
listen({
  digit: (number) => outputs[number - 1] && toggle(outputs[number - 1]),
  label: chooseLabel,
  enter: decide,
  a: toggleAll,
  e: () => openEdit(lastChosen),
  w: openOwn,
  r: () => document.getElementById("reason").focus(),
  o: () => document.getElementById("opinion").click(),
  m: () => document.getElementById("more").click(),
  f: setAside,
  n: () => document.getElementById("later").click(),
});

const before = restore(data);
if (before) putBack(before);
for (const one of outputs) one.classList.toggle("chosen", box(one).checked);
