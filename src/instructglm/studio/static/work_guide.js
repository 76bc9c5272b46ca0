// The guideline beside the item, and a note where it is newer than the one that was read last.
"use strict";
import { Away, Refused } from "./work_api.js";
import { showBlocks } from "./work_text.js";

const $ = (id) => document.getElementById(id);

export class Guide {
  constructor({ project, person, guideline, words }, api) {
    Object.assign(this, { project, api, words, guideline, seenName: `guideline-seen:${person}:${project}` });
    $("guide").open = matchMedia("(min-width: 60rem)").matches;
    $("guide-seen").addEventListener("click", () => this.#read());
    this.#show();
  }

  toggle() {
    $("guide").open = !$("guide").open;
  }

  /** An item names the version that holds for it: a newer one is fetched and shown. */
  async see(version) {
    if ((version ?? 0) === this.guideline.version) return;
    try {
      this.guideline = await this.api.get(`/api/projects/${this.project}/guideline`);
      this.#show();
    } catch (error) {
      if (!(error instanceof Away || error instanceof Refused)) throw error;
    }
  }

  #seen() {
    try { return Number(localStorage.getItem(this.seenName) ?? 0); } catch { return this.guideline.version; }
  }

  #show() {
    const { version, blocks } = this.guideline, seen = this.#seen();
    $("guide").hidden = version === 0;
    $("guide-version").textContent = this.words["guide.version"].replace("{version}", version);
    showBlocks($("guide-text"), blocks);
    $("guide-new").hidden = !(seen && seen < version);
    $("guide-new-text").textContent = this.words["guide.new"].replace("{version}", version).replace("{seen}", seen);
    if (!seen) this.#read();
  }

  #read() {
    try { localStorage.setItem(this.seenName, String(this.guideline.version)); } catch { /* it will be told again */ }
    $("guide-new").hidden = true;
  }
}
