// The entry: the desk, its buttons and its keys.
"use strict";
import { Desk } from "./work_desk.js";
import { showKeys } from "./work_dialogs.js";
import { bindKeys, bindPreference } from "./work_keys.js";
import { notice } from "./work_state.js";

const $ = (id) => document.getElementById(id);

function bind(desk) {
  const click = (id, act) => $(id).addEventListener("click", act);
  const save = () => desk.save(true), stay = () => desk.save(false);
  click("save", save); click("stay", stay); click("skip", () => desk.skip()); click("back", () => desk.giveBack());
  click("again", () => desk.next()); click("go-on", () => { $("go-on").hidden = true; notice(null); desk.next(); });
  click("keys-button", showKeys); click("keep-this", () => desk.others.giveWay());
  click("write-more", () => desk.form.write()); click("refuse", () => desk.form.refuse());
  $("flagged").addEventListener("change", (event) => desk.form.flag(event.target.checked));
  $("sheet").addEventListener("submit", (event) => event.preventDefault());
  const onTask = (act) => (id) => desk.task && act(id);
  bindKeys({
    save, stay, "?": showKeys, s: () => desk.skip(),
    e: onTask((id) => id && desk.form.edit(id)), x: onTask((id) => id && desk.form.reject(id)),
    w: onTask(() => desk.form.write()), f: onTask(() => desk.form.flag()), c: onTask(() => $("comment").focus()),
    r: onTask(() => document.querySelector("#ranking-part [data-handle]")?.focus()), g: () => desk.guide.toggle(),
  });
  bindPreference($("single-keys"));
  document.addEventListener("visibilitychange", () => document.visibilityState === "hidden" && desk.keeper?.flush());
  addEventListener("unhandledrejection", () => notice("warn", desk.words.mistake));
  setInterval(() => desk.renew(), desk.setting.renewMs);
}

const desk = new Desk(JSON.parse($("setting").textContent));
bind(desk);
desk.begin();
