// A form that takes a while: says so, cannot be sent twice, and does not send a file that would be refused.
"use strict";

function tooLarge(form) {
  const file = form.querySelector('input[type="file"]')?.files[0];
  return Boolean(file) && file.size > Number(form.dataset.most);
}

for (const form of document.querySelectorAll("form[data-sending]")) {
  const status = form.querySelector("[data-status]");
  const told = status.textContent;
  form.addEventListener("submit", (event) => {
    if (tooLarge(form)) {
      event.preventDefault();
      status.textContent = form.dataset.tooLarge;
      return;
    }
    status.textContent = form.dataset.sending;
    // Not at once: a button that is disabled would not be sent with its value.
    setTimeout(() => { for (const button of form.querySelectorAll("button")) button.disabled = true; });
  });
  addEventListener("pageshow", () => {
    status.textContent = told;
    for (const button of form.querySelectorAll("button")) button.disabled = false;
  });
}
