// Groups of radio buttons: the ratings of an output, the label of an item. One is current: digits choose in it.
"use strict";
import { show } from "./work_text.js";

const MOST_STEPS = 11; // of a scale that is shown as buttons; a longer one is a number to type

function made(name, className, text) {
  const element = document.createElement(name);
  if (className) element.className = className;
  if (text !== undefined) show(element, text);
  return element;
}

let groups = 0;

/** A group of options `{value, text, hint}`; `changed(value)` when one is chosen. */
export function radioGroup({ legend, options, value, className, changed }) {
  const group = made("fieldset", className), name = `group-${++groups}`;
  group.dataset.group = "";
  group.append(made("legend", "", legend));
  const row = made("div", "options");
  row.append(...options.map((option) => radio(name, option, option.value === value)));
  group.append(row);
  group.addEventListener("change", (event) => changed(options[Number(event.target.value)].value));
  group.addEventListener("clear", () => {
    for (const input of group.querySelectorAll("input")) input.checked = false;
    changed(undefined);
  });
  row.querySelectorAll("input").forEach((input, place) => { input.value = place; });
  return group;
}

function radio(name, { text, hint, digit, key }, isChosen) {
  const label = made("label", "option"), input = document.createElement("input");
  Object.assign(input, { type: "radio", name, checked: isChosen });
  if (digit !== undefined) input.dataset.digit = digit;
  if (hint) input.setAttribute("aria-label", `${text}, ${hint}`);
  label.append(input, ...(key ? [made("kbd", "", key)] : []), made("span", "option-text", text));
  if (hint) label.append(made("small", "", hint));
  return label;
}

/** One output's rating by one criterion. */
export function scaleGroup({ legend, scale, value, changed }) {
  const steps = scale.high - scale.low + 1;
  if (steps > MOST_STEPS) return numberField({ legend, scale, value, changed });
  const options = Array.from({ length: steps }, (_, step) => ({
    value: scale.low + step, text: String(scale.low + step), hint: hintOf(scale, step, steps), digit: String(scale.low + step),
  }));
  return radioGroup({ legend, options, value, className: "scale", changed });
}

function hintOf({ labels }, step, steps) {
  if (labels.length === steps) return labels[step];
  if (labels.length < 2) return "";
  return step === 0 ? labels[0] : step === steps - 1 ? labels.at(-1) : "";
}

function numberField({ legend, scale, value, changed }) {
  const label = made("label", "scale", `${legend} (${scale.low} – ${scale.high})`), input = document.createElement("input");
  Object.assign(input, { type: "number", min: scale.low, max: scale.high, step: 1, value: value ?? "" });
  input.addEventListener("input", () => changed(input.value === "" ? undefined : input.valueAsNumber));
  label.append(input);
  return label;
}

/** The choices of a closed task, under the digits 1 to 9. */
export function choiceGroup({ legend, choices, value, changed }) {
  const options = choices.map((text, place) => ({ value: text, text, ...keyOf(place + 1) }));
  return radioGroup({ legend, options, value, className: "choices", changed });
}

const keyOf = (number) => (number <= 9 ? { digit: String(number), key: String(number) } : {});

const allGroups = () => [...document.querySelectorAll("[data-group]")].filter((group) => group.offsetParent !== null);

/** Make a group the current one, and show where it is. */
export function makeCurrent(group) {
  for (const one of document.querySelectorAll("[data-group].current")) one.classList.remove("current");
  group?.classList.add("current");
}

export function currentGroup() {
  return document.querySelector("[data-group].current") ?? allGroups()[0];
}

export function step(by) {
  const all = allGroups(), place = all.indexOf(currentGroup());
  const next = all[Math.min(all.length - 1, Math.max(0, place + by))];
  if (!next) return;
  makeCurrent(next);
  (next.querySelector("input:checked") ?? next.querySelector("input")).focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
}

/** Choose by a digit in the current group, and go on to the next one that is not answered. */
export function chooseDigit(digit) {
  const group = currentGroup(), input = group?.querySelector(`input[data-digit="${digit}"]`);
  if (!input) return false;
  input.click();
  const rest = allGroups(), open = rest.slice(rest.indexOf(group) + 1).find((one) => !one.querySelector("input:checked"));
  if (open) { makeCurrent(open); open.scrollIntoView({ block: "nearest" }); }
  return true;
}
