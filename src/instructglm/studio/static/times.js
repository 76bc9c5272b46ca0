// Times as the reader's own clock has them.
"use strict";
const shown = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" });
for (const time of document.querySelectorAll("time[data-ms]")) {
  time.textContent = shown.format(new Date(Number(time.dataset.ms)));
}
