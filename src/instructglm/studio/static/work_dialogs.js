// Questions that stand before the page: a reason, a conflict, signing in again, the list of keys.
"use strict";
import { Away } from "./work_api.js";
import { saysSomething } from "./work_sheet.js";
import { show } from "./work_text.js";

const $ = (id) => document.getElementById(id);

/** Open a dialog; the value of the button that closed it, "" where it was left by Escape. */
function opened(dialog) {
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((done) => dialog.addEventListener("close", () => done(dialog.returnValue), { once: true }));
}

/** Ask for a reason ("skip", "reject", "refuse") or whether it is meant ("unedit", "unwrite", "give"): null is no. */
export async function ask(kind, words) {
  const dialog = $("ask"), reason = $("ask-reason"), isReason = words[`ask.${kind}.reason`] !== undefined;
  $("ask-title").textContent = words[`ask.${kind}`];
  $("ask-go").textContent = words[`ask.${kind}.go`];
  $("ask-reason-part").hidden = !isReason;
  if (isReason) $("ask-reason-name").textContent = words[`ask.${kind}.reason`];
  reason.value = "";
  reason.required = isReason && kind !== "skip";
  const answer = await opened(dialog);
  return answer === "go" ? reason.value : null;
}

/** An answer in words, as a list. */
export function describe(element, answer, words) {
  const line = (name, text) => {
    const item = document.createElement("li"), said = document.createElement("span");
    said.className = "text";
    show(said, text);
    item.append(`${words[name]}: `, said);
    return item;
  };
  const listed = (name, held, spell) => (held.length ? [line(name, held.map(spell).join(", "))] : []);
  const single = (name, text) => (text === null || text === undefined ? [] : [line(name, text)]);
  element.replaceChildren(
    ...single("said.label", answer.label),
    ...answer.written.map((text) => line("said.written", text)),
    ...answer.edits.map((one) => line("said.edit", one.text)),
    ...listed("said.ratings", answer.ratings, (one) => `${words.spell(one.output)} ${one.criterion} ${one.value}`),
    ...listed("said.ranks", answer.ranks, (one) => `${one.rank}. ${words.spell(one.output)}`),
    ...answer.rejected.map((one) => line("said.rejected", `${one.output === null ? "" : `${words.spell(one.output)}: `}${one.reason}`)),
    ...single("said.flag", answer.flag),
    ...single("said.comment", answer.comment),
    ...(saysSomething(answer) ? [] : [line("said.nothing", "")]),
  );
}

/** Two answers side by side: "stored", "mine" or "merge"; Escape is "merge", which decides nothing. */
export async function chooseAnswer(stored, mine, words) {
  describe($("conflict-stored"), stored, words);
  describe($("conflict-mine"), mine, words);
  return await opened($("conflict")) || "merge";
}

/** Let the person sign in again without leaving the page; done when `isIn()` says that they have. */
export async function signInAgain(name, words, isIn) {
  const dialog = $("sign-in"), form = dialog.querySelector("form"), fault = $("sign-in-fault"), password = $("sign-in-password");
  const stay = (event) => event.preventDefault(); // what is typed here needs a session
  dialog.addEventListener("cancel", stay);
  dialog.showModal();
  await new Promise((done) => {
    form.onsubmit = async (event) => {
      event.preventDefault();
      const key = await entered(name, password.value, isIn);
      fault.hidden = key === null;
      fault.textContent = key === null ? "" : words[key];
      if (key === null) done();
    };
  });
  password.value = "";
  dialog.removeEventListener("cancel", stay);
  dialog.close();
}

/** Null once signed in as the same person, else which words say why not. */
async function entered(name, password, isIn) {
  const body = new URLSearchParams({ name, password, next: "/account" });
  try {
    const answer = await fetch("/sign-in", { method: "POST", body });
    if (answer.status === 401) return "sign_in.wrong";
    if (answer.status === 429) return "sign_in.wait";
    return await isIn() ? null : "sign_in.other";
  } catch (error) {
    if (error instanceof Away || error instanceof TypeError) return "sign_in.away";
    throw error;
  }
}

export function showKeys() {
  if (!document.querySelector("dialog[open]")) opened($("keys"));
}
