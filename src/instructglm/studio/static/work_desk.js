// The desk: one item after the other, with what is typed kept all the time.
"use strict";
import { Api, Away, Refused, patiently } from "./work_api.js";
import { ask, chooseAnswer, signInAgain } from "./work_dialogs.js";
import { Form } from "./work_form.js";
import { Guide } from "./work_guide.js";
import { Keeper } from "./work_keeper.js";
import { sort } from "./work_kept.js";
import { Net } from "./work_net.js";
import { Others } from "./work_others.js";
import { dropSheets, sendAnswer, sendPending } from "./work_saving.js";
import { answerOf, letter, missing, saysSomething, sheetOf, spelled } from "./work_sheet.js";
import { clock, notice, state } from "./work_state.js";
import { Stopwatch } from "./work_stopwatch.js";

const $ = (id) => document.getElementById(id);
const LOOK_AGAIN_MS = 30_000;

export class Desk {
  constructor(setting) {
    const words = { ...setting.words, spell: (id) => letter(this.task.outputs.findIndex((one) => one.id === id)) };
    const api = new Api(setting.person, (isIn) => signInAgain(setting.name, words, isIn));
    Object.assign(this, { setting, words, api, net: new Net(setting.store, setting.person), task: null, isSaving: false, warned: "" });
    this.guide = new Guide(setting, api);
    this.stopwatch = new Stopwatch();
    this.others = new Others(this);
  }

  /** What an earlier page could not send goes first; then the item that was asked for, or the next. */
  async begin() {
    for (const done of await sendPending(this, () => this.waits())) this.#tellOfEarlier(done);
    if (this.setting.assignment) await this.#tried(() => this.#open(this.setting.assignment));
    else await this.next();
  }

  #tellOfEarlier(done) {
    const said = done.saved ? "earlier.saved" : done.refused ? "earlier.refused" : "earlier.kept";
    notice(done.saved ? "good" : "warn", this.words[said], done.refused?.faults);
  }

  /** The server does not answer: what was asked is asked again. */
  waits() { state("away", this.words["state.away"]); }

  async #tried(act) {
    try {
      return await act();
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      this.#idle(this.words["idle.refused"], [...error.faults, error.hint].filter(Boolean).join("\n"));
      return null;
    }
  }

  async next() {
    clearTimeout(this.again);
    const path = `/api/projects/${this.setting.project}/next`;
    const given = await this.#tried(() => patiently(() => this.api.post(path), () => this.waits()));
    if (given) this.#take(given);
  }

  #take({ task, idle, wait_ms: waitMs }) {
    history.replaceState(null, "", location.pathname);
    if (task) this.#show(task);
    else this.#wait(idle, waitMs);
  }

  async #open(assignment) {
    this.#show(await patiently(() => this.api.get(`/api/assignments/${assignment}`), () => this.waits()));
  }

  #wait(idle, waitMs) {
    const reason = idle.reason.replaceAll(" ", "_");
    const when = waitMs === null ? "" : this.words["idle.when"].replace("{time}", clock(Date.now() + waitMs));
    this.#idle(this.words[`idle.${reason}`], `${this.words[`idle.${reason}.more`]} ${when}`);
    this.again = setTimeout(() => this.#lookAgain(), Math.min(waitMs ?? LOOK_AGAIN_MS, 2 ** 31 - 1));
  }

  /** A page that nobody sees takes no item from others. */
  #lookAgain() {
    if (this.task) return;
    if (document.visibilityState === "visible") this.next();
    else document.addEventListener("visibilitychange", () => this.#lookAgain(), { once: true });
  }

  #idle(title, why) {
    this.keeper?.end();
    this.task = null;
    state("idle", "");
    [$("sheet").hidden, $("bar").hidden, $("idle").hidden] = [true, true, false];
    $("idle-title").textContent = title;
    $("idle-why").textContent = why;
    $("idle-title").focus();
  }

  #show(task) {
    this.keeper?.end();
    Object.assign(this, { task, warned: "", isToldGone: false });
    [$("sheet").hidden, $("bar").hidden, $("idle").hidden, $("replaced").hidden] = [false, false, true, true];
    const { sheet, isNew, others } = sort(task, this.net);
    this.keeper = new Keeper(this.api, this.net, task, (name, more) => this.#said(name, more));
    this.others.are(others);
    $("back").hidden = $("skip").hidden = task.revision > 0;
    this.fill(sheet);
    state("ready", this.words[task.revision ? "state.answered" : task.draft || isNew ? "state.draft" : "state.new"]);
    if (isNew) this.changed();
    this.stopwatch.start();
    this.guide.see(task.guideline);
    scrollTo(0, 0);
    $("task-title").focus({ preventScroll: true });
  }

  /** Put a sheet into the form. */
  fill(sheet) {
    this.form = new Form(this.task, sheet, this.words, {
      changed: () => this.changed(), ask: (kind) => ask(kind, this.words),
    });
    this.others.show();
    this.#tellMissing();
  }

  /** The form's sheet is another one now. */
  changed() {
    this.keeper.changed(structuredClone(this.form.sheet));
    this.#tellMissing();
  }

  #tellMissing() {
    const told = Object.entries(missing(this.form.sheet, this.task)).filter(([, number]) => number > 0);
    $("missing").textContent = told.map(([name, number]) => this.words[`missing.${name}`].replace("{number}", number)).join(" ");
  }

  #said(name, error) {
    state(name, this.words[`state.${name}`].replace("{time}", clock(Date.now())), error?.faults);
    $("replaced").hidden = name !== "replaced";
    if (name === "not-held" && !this.isToldGone) notice("warn", this.words["not_held.typing"]);
    if (name === "not-held") this.isToldGone = true;
  }

  /** Save, and go on to the next item or stay. What is missing is told once; saving again means it. */
  async save(isGoingOn) {
    if (!this.task || this.isSaving) return;
    const sheet = structuredClone(this.form.sheet), answer = answerOf(sheet, this.task);
    const left = missing(sheet, this.task), isPartial = Object.values(left).some((number) => number > 0);
    if (!saysSomething(answer)) notice("warn", this.words["save.nothing"]);
    else if (isPartial && this.warned !== spelled(left)) {
      this.warned = spelled(left);
      notice("warn", `${$("missing").textContent} ${this.words["save.all_the_same"]}`);
    } else await this.#send(sheet, answer, isGoingOn);
  }

  async #send(sheet, answer, isGoingOn) {
    const { task, keeper, net, api } = this;
    this.#busy(true);
    notice(null);
    this.form.showFaults([]);
    await keeper.settled();
    state("saving", this.words["state.saving"]);
    const save = {
      assignment: task.assignment, sheet, answer, based_on: keeper.basedOn, took_ms: this.stopwatch.elapsedMs(),
      next_in: isGoingOn ? this.setting.project : null,
    };
    const done = await sendAnswer({ api, net }, save, () => state("away", this.words["state.save_waits"]));
    this.#busy(false);
    await this.#became(done, save, isGoingOn);
  }

  #busy(isSaving) {
    this.isSaving = isSaving;
    for (const id of ["save", "stay", "skip", "back"]) $(id).disabled = isSaving;
  }

  async #became(done, save, isGoingOn) {
    if (done.saved) await this.#saved(done, save, isGoingOn);
    else if (done.conflict) await this.#conflict(done.conflict);
    else if (done.not_held) this.#gone(done.not_held);
    else this.#refused(done.refused);
  }

  async #saved({ saved, next }, save, isGoingOn) {
    const isSkip = save.answer.skip !== undefined, isSame = isSkip || spelled(this.form.sheet) === spelled(save.sheet);
    if (!isSkip) {
      this.keeper.saved(saved.revision);
      dropSheets(this.net, save);
    }
    this.stopwatch.start();
    if (isSame && isGoingOn) return next ? this.#take(next) : this.next();
    Object.assign(this.task, { revision: saved.revision, answer: save.answer });
    $("back").hidden = $("skip").hidden = true;
    state("saved", this.words["state.saved"].replace("{time}", clock(Date.now())));
    if (!isSame) this.changed(); // typed while the save was on its way
    return undefined;
  }

  /** Somebody saved meanwhile (another tab of this person): both are shown, and the person chooses. */
  async #conflict({ stored, stored_revision: revision, sent }) {
    const choice = await chooseAnswer(stored, sent, this.words);
    const sheet = structuredClone(this.form.sheet);
    await this.#open(this.task.assignment);
    const refused = this.others.unsaved(sheetOf(sent));
    if (choice === "stored") this.fill(sheetOf(stored));
    else this.#keepMine(sheet, stored, choice);
    if (choice === "mine" && this.keeper.basedOn === revision) await this.#send(sheet, answerOf(sheet, this.task), false);
    if (choice === "mine" && refused && this.task.revision > revision) await this.others.forget(refused);
  }

  #keepMine(sheet, stored, choice) {
    if (choice === "merge") this.others.add({ why: "stored", sheet: sheetOf(stored) });
    this.fill(sheet);
    this.changed();
  }

  #gone({ reason }) {
    notice("warn", this.words["not_held.saved"], [this.words[`not_held.${reason.split(" ")[0]}`] ?? reason]);
    state("not-held", this.words["state.not-held"].replace("{time}", clock(Date.now())));
    $("go-on").hidden = false;
  }

  #refused(error) {
    this.form.showFaults(error.faults);
    notice("warn", this.words["save.refused"], [...error.faults, error.hint].filter(Boolean));
    state("refused", this.words["state.refused"]);
  }

  async skip() {
    if (!this.task || this.isSaving || this.task.revision > 0) return;
    const reason = await ask("skip", this.words);
    if (reason === null) return;
    await this.keeper.flush();
    await this.#send(structuredClone(this.form.sheet), { skip: reason }, true);
  }

  async giveBack() {
    const { task, keeper } = this;
    if (!task || await ask("give", this.words) === null) return;
    await keeper.flush();
    await patiently(() => this.api.post(`/api/assignments/${task.assignment}/give-back`), () => this.waits());
    this.#idle(this.words["idle.given_back"], this.words["idle.given_back.more"]);
  }

  /** A sign of life, while somebody is there. */
  async renew() {
    if (!this.task || this.task.revision > 0 || !this.stopwatch.isInUse(this.setting.renewMs)) return;
    try {
      const { is_held: isHeld } = await this.api.post(`/api/assignments/${this.task.assignment}/renew`);
      if (!isHeld) this.#said("not-held");
    } catch (error) {
      if (!(error instanceof Away || error instanceof Refused)) throw error;
    }
  }
}
