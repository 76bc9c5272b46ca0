// How long somebody worked: while the page is to be seen and in use; a pause of more than a minute is a pause.
"use strict";

const PAUSE_MS = 60_000;
const SIGNS = ["keydown", "pointerdown", "pointermove", "scroll", "wheel"];

export class Stopwatch {
  constructor() {
    this.start();
    for (const sign of SIGNS) document.addEventListener(sign, () => this.#tick(), { passive: true, capture: true });
    document.addEventListener("visibilitychange", () => { this.#tick(); });
  }

  start() {
    [this.sumMs, this.lastAt] = [0, performance.now()];
  }

  #tick() {
    const now = performance.now();
    this.sumMs += Math.min(now - this.lastAt, PAUSE_MS);
    this.lastAt = now;
  }

  elapsedMs() {
    this.#tick();
    return Math.round(this.sumMs);
  }

  /** Whether somebody is there: the page is to be seen, and gave a sign within so long, or a pause's length. */
  isInUse(withinMs) {
    return document.visibilityState === "visible" && performance.now() - this.lastAt < Math.max(withinMs, 5 * PAUSE_MS);
  }
}
