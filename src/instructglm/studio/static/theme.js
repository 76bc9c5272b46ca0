// Before the first paint, so that nobody is dazzled: the theme that was chosen, if one was.
"use strict";
try {
  const chosen = localStorage.getItem("theme");
  if (chosen) document.documentElement.dataset.theme = chosen;
} catch { /* no storage in this browser: the system's wish holds */ }
document.documentElement.classList.add("scripts");
