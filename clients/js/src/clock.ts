// Time and chance, as everything here is given them: a test has its own.

import { BACKOFF_MAX_MS, BACKOFF_MIN_MS } from './bounds.js';

export interface Clock {
  /** Milliseconds since whenever. */
  now(): number;
  /** Runs once after so long; what is returned takes that back. */
  after(ms: number, run: () => void): () => void;
  /** 0 to 1, like `Math.random`. */
  random(): number;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  after(ms, run) {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
  random: () => Math.random(),
};

/** How long to wait before attempt number `attempt` (from 0), with full jitter: clients that lost one server come back spread out. */
export const backoffMs = (attempt: number, clock: Clock): number =>
  Math.round(clock.random() * Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** attempt));
