// The form of one item: built anew from the task and the sheet, and writing every change into the sheet.
"use strict";
import { showDiff } from "./work_diff.js";
import { Ranking } from "./work_ranking.js";
import { choiceGroup, makeCurrent, scaleGroup } from "./work_scale.js";
import { letter } from "./work_sheet.js";
import { ExactField, show } from "./work_text.js";

const $ = (id) => document.getElementById(id);
const copyOf = (template) => $(template).content.firstElementChild.cloneNode(true);
const DIFF_MS = 150;

export class Form {
  /** `changed()` is called when the sheet was; `ask(kind)` lets the person give a reason. */
  constructor(task, sheet, words, { changed, ask }) {
    Object.assign(this, { task, sheet, words, changed, ask });
    this.#showMessages();
    this.#showLabel();
    $("outputs").replaceChildren(...task.outputs.map((output, place) => this.#card(output, place)));
    $("outputs-part").hidden = !task.outputs.length;
    this.#showRanking();
    this.#showWritten();
    this.#showRemarks();
    makeCurrent(document.querySelector("#sheet [data-group]"));
  }

  #showMessages() {
    $("messages").replaceChildren(...this.task.messages.map((message) => {
      const item = copyOf("message");
      item.classList.add(message.role);
      item.querySelector("[data-role]").textContent = this.words[`role.${message.role}`];
      show(item.querySelector(".text"), message.content);
      return item;
    }));
    $("domain").hidden = !this.task.domain;
    show($("domain"), this.task.domain);
  }

  #showLabel() {
    const { choices } = this.task;
    $("label-part").hidden = !choices.length;
    if (!choices.length) return $("label").replaceChildren(); // or the keys would still choose in the last item's
    $("label").replaceChildren(choiceGroup({
      legend: this.words.label, choices, value: this.sheet.label,
      changed: (value) => this.#set("label", value ?? null),
    }));
  }

  #set(name, value) {
    this.sheet[name] = value;
    this.changed();
  }

  #card(output, place) {
    const card = copyOf("output"), name = letter(place);
    card.dataset.output = output.id;
    card.querySelector("[data-name]").textContent = this.words.output.replace("{name}", name);
    show(card.querySelector("[data-original]"), output.text);
    card.querySelector("[data-scales]").replaceChildren(...this.#scales(output, name));
    card.querySelector("[data-edit]").addEventListener("click", () => this.edit(output.id));
    card.querySelector("[data-reject]").addEventListener("click", () => this.reject(output.id));
    this.#fillCard(card, output);
    return card;
  }

  #scales(output, name) {
    const given = () => this.sheet.ratings[output.id] ?? {};
    const ends = [this.words.worst, this.words.best]; // what counts as good is decided so: the highest is best
    return Object.entries(this.task.criteria).map(([criterion, scale]) => scaleGroup({
      legend: `${name} · ${criterion}`, scale: scale.labels.length ? scale : { ...scale, labels: ends }, value: given()[criterion],
      changed: (value) => {
        const values = { ...given(), [criterion]: value };
        if (value === undefined) delete values[criterion];
        this.sheet.ratings[output.id] = values;
        this.changed();
      },
    }));
  }

  /** What was said of an output beside its ratings: an edit, a rejection. */
  #fillCard(card, output) {
    const reason = this.sheet.rejected[output.id], isRejected = reason !== undefined;
    card.classList.toggle("rejected", isRejected);
    card.querySelector("[data-rejected]").hidden = !isRejected;
    if (isRejected) show(card.querySelector("[data-reason]"), reason);
    card.querySelector("[data-scales]").hidden = isRejected;
    card.querySelector("[data-reject]").textContent = this.words[isRejected ? "unreject" : "reject"];
    const isEdited = this.sheet.edits[output.id] !== undefined;
    card.querySelector("[data-edit]").textContent = this.words[isEdited ? "unedit" : "edit"];
    const part = card.querySelector("[data-edit-part]");
    part.hidden = !isEdited;
    if (isEdited) this.#fillEdit(card, output);
  }

  #fillEdit(card, output) {
    const field = card.querySelector("[data-edit-part] textarea"), change = card.querySelector("[data-diff]");
    let timer = 0;
    const compare = () => showDiff(change, output.text, this.sheet.edits[output.id] ?? output.text);
    field.replaceWith(field.cloneNode());
    new ExactField(card.querySelector("[data-edit-part] textarea"), this.sheet.edits[output.id], (text) => {
      this.sheet.edits[output.id] = text;
      clearTimeout(timer);
      timer = setTimeout(compare, DIFF_MS);
      this.changed();
    });
    compare();
  }

  #cardOf(id) { return document.querySelector(`[data-output="${id}"]`); }
  #outputOf(id) { return this.task.outputs.find((output) => output.id === id); }

  /** Begin to edit an output; or take the edit back, after asking where it changed something. */
  async edit(id) {
    const output = this.#outputOf(id), text = this.sheet.edits[id];
    if (text === undefined) this.sheet.edits[id] = output.text;
    else if (text === output.text || await this.ask("unedit") !== null) delete this.sheet.edits[id];
    else return;
    this.#fillCard(this.#cardOf(id), output);
    if (text === undefined) this.#cardOf(id).querySelector("textarea").focus();
    this.changed();
  }

  /** Reject an output with a reason, or take it back. */
  async reject(id) {
    if (this.sheet.rejected[id] !== undefined) delete this.sheet.rejected[id];
    else {
      const reason = await this.ask("reject");
      if (reason === null) return;
      this.sheet.rejected[id] = reason;
    }
    this.#fillCard(this.#cardOf(id), this.#outputOf(id));
    this.changed();
  }

  #showRanking() {
    const part = $("ranking-part"), { outputs } = this.task;
    part.hidden = outputs.length < 2;
    if (!part.hidden) new Ranking(part, outputs, this.sheet.ranking, this.words, (rows) => this.#set("ranking", rows));
  }

  #showWritten() {
    const isOpen = !this.task.outputs.length && !this.task.choices.length;
    if (isOpen && !this.sheet.written.length) this.sheet.written.push("");
    $("written").replaceChildren(...this.sheet.written.map((_, place) => this.#writtenField(place)));
  }

  #writtenField(place) {
    const part = copyOf("written-one");
    part.querySelector("[data-name]").textContent = this.words.written.replace("{number}", place + 1);
    new ExactField(part.querySelector("textarea"), this.sheet.written[place], (text) => {
      this.sheet.written[place] = text;
      this.changed();
    });
    part.querySelector("[data-remove]").addEventListener("click", () => this.#unwrite(place));
    return part;
  }

  async #unwrite(place) {
    if (this.sheet.written[place] !== "" && await this.ask("unwrite") === null) return;
    this.sheet.written.splice(place, 1);
    this.#showWritten();
    $("write-more").focus();
    this.changed();
  }

  /** One more output of one's own. */
  write() {
    if (this.sheet.written.at(-1) !== "") this.sheet.written.push("");
    this.#showWritten();
    $("written").lastElementChild.querySelector("textarea").focus();
  }

  #showRemarks() {
    for (const id of ["comment", "flag"]) $(id).replaceWith($(id).cloneNode());
    new ExactField($("comment"), this.sheet.comment, (text) => this.#set("comment", text));
    new ExactField($("flag"), this.sheet.flag ?? "", (text) => this.#set("flag", text));
    this.#showFlag();
    this.#showRefused();
  }

  #showFlag() {
    $("flagged").checked = this.sheet.flag !== null;
    $("flag-part").hidden = this.sheet.flag === null;
  }

  /** Flag the item for the others, or take the flag down. */
  flag(isFlagged = this.sheet.flag === null) {
    this.#set("flag", isFlagged ? $("flag").value : null);
    this.#showFlag();
    if (isFlagged) $("flag").focus();
  }

  #showRefused() {
    const { refused } = this.sheet;
    $("refused-part").hidden = refused === null;
    if (refused !== null) show($("refused"), refused);
    $("refuse").textContent = this.words[refused === null ? "refuse" : "unrefuse"];
  }

  /** Reject the instruction itself with a reason, or take it back. */
  async refuse() {
    const reason = this.sheet.refused === null ? await this.ask("refuse") : null;
    if (this.sheet.refused === null && reason === null) return;
    this.#set("refused", reason);
    this.#showRefused();
  }

  /** Show the server's faults at what they speak of; those of nothing here are left to the caller. */
  showFaults(faults) {
    for (const one of document.querySelectorAll("#sheet .fault")) one.remove();
    for (const fault of faults) {
      const note = document.createElement("p");
      note.className = "fault notice warn";
      show(note, fault);
      this.#partOf(fault)?.append(note);
    }
  }

  #partOf(fault) {
    const output = /\boutput (\d+)/.exec(fault)?.[1];
    const field = /^(?:body\.answer\.)?(label|written|edits|ratings|ranks|comment|flag)\b/.exec(fault)?.[1];
    const parts = { label: "label-part", written: "writing-part", ranks: "ranking-part", comment: "remarks-part", flag: "remarks-part" };
    return (output && this.#cardOf(output)) || (field && $(parts[field] ?? "outputs-part"));
  }
}
