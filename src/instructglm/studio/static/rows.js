// Rows that can be added and removed. Without it, the last row is an empty one, and a row without a name is left out.
"use strict";

function addRemoval(list, row) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = list.dataset.remove;
  button.className = "remove-row";
  const name = row.querySelector("input").value;
  if (name) button.setAttribute("aria-label", `${list.dataset.remove}: ${name}`);
  button.addEventListener("click", () => {
    row.remove();
    list.nextElementSibling.focus();
  });
  row.append(button);
}

function addRow(list, empty) {
  const row = empty.cloneNode(true);
  list.append(row);
  addRemoval(list, row);
  row.querySelector("input").focus();
}

for (const list of document.querySelectorAll(".repeated")) {
  const empty = list.lastElementChild;
  empty.remove();
  empty.removeAttribute("aria-label");
  for (const row of list.children) addRemoval(list, row);
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = list.dataset.add;
  button.addEventListener("click", () => addRow(list, empty));
  list.after(button);
}
