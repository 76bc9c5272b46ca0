// While the log is gone through: looks now and then, and shows the page anew when it is done.
"use strict";

async function look() {
  try {
    const answer = await fetch("/api/log/verify");
    if (answer.ok && (await answer.json()).is_running) {
      setTimeout(look, 1000);
      return;
    }
  } catch { /* the server is away: what it says when it is back is on the page */ }
  location.replace("/log");
}

setTimeout(look, 500);
