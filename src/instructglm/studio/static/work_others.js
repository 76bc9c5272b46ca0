// The other texts that are kept for an item, offered beside the form until they are taken or thrown away.
"use strict";
import { patiently } from "./work_api.js";
import { ask } from "./work_dialogs.js";
import { draftOf, showOthers } from "./work_kept.js";
import { answerOf, saysSomething, spelled } from "./work_sheet.js";

const $ = (id) => document.getElementById(id);

export class Others {
  constructor(desk) {
    Object.assign(this, { desk, list: [] });
  }

  are(list) { this.list = list; }
  add(one) { this.list = [one, ...this.list]; }

  show() {
    const { task, words } = this.desk;
    showOthers($("others"), task, this.list, words, { take: (one) => this.#take(one), drop: (one) => this.#drop(one) });
  }

  /** The refused answer that says the same as this sheet. */
  unsaved(sheet) {
    return this.list.find((one) => one.unsaved && spelled(one.sheet) === spelled(sheet));
  }

  /** Another kept text comes into the form; what stood there is offered in its place. */
  #take(one) {
    const { desk } = this, before = { why: "before", sheet: structuredClone(desk.form.sheet), tab: `${desk.net.tab}-before` };
    const kept = { sheet: before.sheet, basedOn: desk.keeper.basedOn, version: 0, at: 0 };
    desk.net.keep(String(desk.task.assignment), kept, before.tab);
    const isEmpty = !saysSomething(answerOf(before.sheet, desk.task));
    this.list = [...this.list.filter((other) => other !== one || one.unsaved), ...(isEmpty ? [] : [before])];
    desk.fill(structuredClone(one.sheet));
    desk.changed();
  }

  async #drop(one) {
    const { desk } = this;
    if (await ask("drop", desk.words) === null) return;
    if (one.unsaved) await this.forget(one);
    else if (one.why === "draft") desk.changed(); // this sheet takes the draft's place
    else if (one.tab) desk.net.drop(String(desk.task.assignment), one.tab);
    this.#without(one);
  }

  #without(one) {
    this.list = this.list.filter((other) => other !== one);
    this.show();
  }

  /** The server need not keep a refused answer any more. */
  async forget(one) {
    const { api, task } = this.desk, path = `/api/assignments/${task.assignment}/unsaved/${one.unsaved}`;
    await patiently(() => api.delete(path), () => this.desk.waits());
    this.#without(one);
  }

  /** The newer draft of another window is shown beside this window's, which takes its place. */
  async giveWay() {
    const { desk } = this, path = `/api/assignments/${desk.task.assignment}`;
    const other = draftOf(await patiently(() => desk.api.get(path), () => desk.waits()));
    if (other) this.list = [other, ...this.list.filter((one) => one.why !== "draft")];
    this.show();
    $("replaced").hidden = true;
    desk.keeper.insist();
  }
}
