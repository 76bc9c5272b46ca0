// Saving an answer once, however often it has to be sent: its key is kept until the server has answered.
"use strict";
import { Refused, patiently } from "./work_api.js";
import { newKey } from "./work_net.js";
import { spelled } from "./work_sheet.js";

const PENDING = "pending";

/**
 * Send an answer until the server has answered. What comes back is `{saved, next}`, `{conflict}`, `{not_held}`, or
 * `{refused}`, the error. `waits()` is called each time that there is no answer.
 */
export async function sendAnswer({ api, net }, save, waits) {
  const pending = { key: newKey(), ...save };
  net.keep(PENDING, { pending, at: Date.now() });
  const done = await outcome(api, pending, waits);
  net.drop(PENDING);
  return done;
}

async function outcome(api, { assignment, sheet: _, ...body }, waits) {
  try {
    return await patiently(() => api.post(`/api/assignments/${assignment}/save`, body), waits);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return error.answer.conflict || error.answer.not_held ? error.answer : { refused: error };
  }
}

/** Send what an earlier page could not; what became of each is told with the assignment it was for. */
export async function sendPending({ api, net }, waits) {
  const made = [];
  for (const { pending, tab } of net.all(PENDING)) {
    const done = await outcome(api, pending, waits);
    net.drop(PENDING, tab);
    if (done.saved && pending.answer.skip === undefined) dropSheets(net, pending);
    made.push({ assignment: pending.assignment, ...done });
  }
  return made;
}

/** A sheet whose answer is saved is no longer unsaved. */
export function dropSheets(net, { assignment, sheet }) {
  for (const kept of net.all(String(assignment))) {
    if (spelled(kept.sheet) === spelled(sheet)) net.drop(String(assignment), kept.tab);
  }
}
