// Autosave: the second net at once, the server at the latest 1.5 s after a keystroke, for ever if it is away.
"use strict";
import { Away, Refused, moment } from "./work_api.js";

const QUIET_MS = 400, LONGEST_MS = 1200; // after the last, and after the first keystroke that is not sent yet
const SETTLE_MS = 2000;
const AGAIN_MS = [500, 1000, 2000, 3000];

/**
 * Keeps the sheet of one assignment. `says(state, more)` tells: "typing", "kept", "away", "replaced" (a newer draft
 * of another window is kept instead), "not-held", "refused", "no-room".
 */
export class Keeper {
  constructor(api, net, task, says) {
    Object.assign(this, { api, net, task, says, version: 0, tried: 0, basedOn: task.revision });
    if (task.draft_based_on === task.revision) this.version = this.tried = task.draft_version;
    Object.assign(this, { sheet: null, timer: 0, firstAt: 0, sending: null, isOver: false, isReplaced: false, failures: 0 });
  }

  get kind() { return String(this.task.assignment); }

  /** The sheet was changed: it is a plain value, and ours from now on. */
  changed(sheet) {
    this.sheet = sheet;
    if (!this.#keepHere(sheet)) this.says("no-room");
    else if (!this.isReplaced) this.says("typing");
    this.#plan();
  }

  /** Where the browser has no room, nothing older may pass for the newest. */
  #keepHere(sheet) {
    const { basedOn, tried } = this;
    const isKept = this.net.keep(this.kind, { sheet, basedOn, version: tried, at: Date.now() });
    if (!isKept) this.net.drop(this.kind);
    return isKept;
  }

  #plan() {
    if (this.isOver || this.isReplaced || this.sending || this.sheet === null) return;
    clearTimeout(this.timer);
    this.firstAt ||= Date.now();
    const left = this.firstAt + LONGEST_MS - Date.now();
    this.timer = setTimeout(() => this.flush(), Math.max(0, Math.min(QUIET_MS, left)));
  }

  /** Send what is not sent yet; done when the server has answered, or not. */
  async flush() {
    clearTimeout(this.timer);
    if (this.sheet === null || this.isOver || this.isReplaced) return this.sending;
    this.sending ??= this.#send().finally(() => { this.sending = null; this.#plan(); });
    return this.sending;
  }

  async #send() {
    const sheet = this.sheet;
    [this.sheet, this.firstAt] = [null, 0];
    try {
      this.tried = this.version + 1; // where the answer is lost, the server may have it all the same
      const body = { body: { ...sheet, tab: this.net.tab }, version: this.tried, based_on: this.basedOn };
      this.#answered(sheet, await this.api.put(`/api/assignments/${this.task.assignment}/draft`, body));
    } catch (error) {
      this.sheet ??= sheet;
      await this.#failed(error);
    }
  }

  #answered(sheet, { version, kept, is_held: isHeld }) {
    Object.assign(this, { version, tried: version, failures: 0 });
    if (this.isOver) return;
    if (!kept) {
      this.isReplaced = true;
      this.sheet ??= sheet;
      this.says("replaced");
    } else {
      this.says(isHeld ? "kept" : "not-held");
    }
  }

  async #failed(error) {
    if (error instanceof Refused) {
      this.says("refused", error);
      this.sheet = null; // the next keystroke tries again
    } else if (error instanceof Away && !this.isOver) {
      this.says("away");
      await moment(Math.max(error.waitMs, AGAIN_MS[Math.min(this.failures++, AGAIN_MS.length - 1)]));
    } else if (!this.isOver) {
      throw error;
    }
  }

  /** Wait for what is on its way, but not for ever. */
  async settled() {
    await Promise.race([this.sending, new Promise((done) => setTimeout(done, SETTLE_MS))]);
  }

  /** Put this window's sheet in the place of the newer draft of another one. */
  insist() {
    this.isReplaced = false;
    this.#plan();
  }

  /** The answer was saved as this revision: what is typed from now on changes that one. */
  saved(revision) {
    Object.assign(this, { basedOn: revision, version: 0, tried: 0, sheet: null, firstAt: 0, isReplaced: false });
    clearTimeout(this.timer);
    this.net.drop(this.kind);
  }

  /** Nothing more is to be kept of this assignment; what is in the nets stays. */
  end() {
    this.isOver = true;
    clearTimeout(this.timer);
  }
}
