// Talking to the server: what it answers, and what to do where it does not, or no longer knows us.
"use strict";

const TIMEOUT_MS = 15_000;
const FIRST_WAIT_MS = 500, LONGEST_WAIT_MS = 10_000;
const BUSY = new Set([429, 502, 503, 504]);

/** The server gave no answer, or asked to come later; `waitMs` where it said when. */
export class Away extends Error {
  constructor(waitMs = 0) {
    super("the server is away");
    this.waitMs = waitMs;
  }
}

/** The server said no: `status`, its `faults` and `hint`, and the whole `answer`. */
export class Refused extends Error {
  constructor(status, answer) {
    super((answer.error?.faults ?? [`${status}`]).join("\n"));
    Object.assign(this, { status, answer, faults: answer.error?.faults ?? [], hint: answer.error?.hint ?? "" });
  }
}

export class Api {
  /** `signIn` lets the person sign in again in place, and is done when they have. */
  constructor(person, signIn) {
    Object.assign(this, { person, signIn, signingIn: null });
    this.csrf = document.querySelector('meta[name="csrf"]').content;
  }

  get(path) { return this.call("GET", path); }
  post(path, body) { return this.call("POST", path, body); }
  put(path, body) { return this.call("PUT", path, body); }
  delete(path) { return this.call("DELETE", path); }

  async call(method, path, body, isAgain = false) {
    const answer = await this.#ask(method, path, body);
    if (answer.ok) return answer.status === 204 ? null : read(answer);
    if (BUSY.has(answer.status)) throw new Away(1000 * Number(answer.headers.get("retry-after") ?? 0));
    if (answer.status === 401) {
      await this.#enterAgain();
      return this.call(method, path, body, isAgain);
    }
    if (answer.status === 403 && !isAgain && await this.#isRenewed()) return this.call(method, path, body, true);
    throw new Refused(answer.status, await answer.json().catch(() => ({})));
  }

  async #ask(method, path, body) {
    const headers = { "X-CSRF-Token": this.csrf, "Content-Type": "application/json", Accept: "application/json" };
    const sent = body === undefined ? undefined : JSON.stringify(body);
    const isSmall = (sent?.length ?? 0) < 20_000; // what is larger may not outlive its page
    try {
      return await fetch(path, {
        method, headers, body: sent, signal: AbortSignal.timeout(TIMEOUT_MS),
        keepalive: isSmall && document.visibilityState === "hidden",
      });
    } catch {
      throw new Away();
    }
  }

  /** However many requests find the session ended, the person is asked once. */
  async #enterAgain() {
    this.signingIn ??= this.signIn(() => this.#isRenewed()).finally(() => { this.signingIn = null; });
    await this.signingIn;
  }

  /** Whether the same person is signed in by a newer session than this page's (another tab may have done it). */
  async #isRenewed() {
    const answer = await this.#ask("GET", "/api/me");
    if (!answer.ok) return false;
    const me = await read(answer);
    if (me.person !== this.person || me.csrf === this.csrf) return false;
    this.csrf = me.csrf;
    return true;
  }
}

async function read(answer) {
  try {
    return await answer.json();
  } catch {
    throw new Away(); // the answer was cut off
  }
}

/** Try until the server has answered; `waits` is told each time that it has not. */
export async function patiently(ask, waits) {
  for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(2 * waitMs, LONGEST_WAIT_MS)) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof Away)) throw error;
      waits(error);
      await moment(Math.max(waitMs, error.waitMs));
    }
  }
}

/** So many milliseconds, or less where the network comes back. */
export function moment(ms) {
  return new Promise((done) => {
    const end = () => { clearTimeout(timer); removeEventListener("online", end); done(); };
    const timer = setTimeout(end, ms);
    addEventListener("online", end);
  });
}
