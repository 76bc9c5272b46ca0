// A page that waits for figures asks whether they are there, and shows them then; meanwhile it leaves the reader alone.
"use strict";
const notice = document.getElementById("computing");
let waitMs = 1000;

async function look() {
  try {
    const answer = await fetch(`/api/projects/${notice.dataset.project}/standing`);
    const found = await answer.json();
    if (found.is_current || found.has_failed) {
      location.reload();
      return;
    }
  } catch { /* the server is away: it is asked again */ }
  waitMs = Math.min(waitMs * 1.5, 15000);
  setTimeout(look, waitMs);
}

if (notice) setTimeout(look, waitMs);
