// What tells a page that the world may have changed while it did not look: the network, the tab, the cache of the browser, and sleep.

import { TICK_MS } from './bounds.js';
import type { Clock } from './clock.js';

interface Target {
  addEventListener?(name: string, listener: () => void, options: { signal: AbortSignal }): void;
}

/**
 * Calls `onWake` when the page is shown again, comes out of the browser's cache, is on or off line, or has slept; and `onTick` now and then.
 * Ends with what is returned.
 */
export function watch(clock: Clock, onWake: () => void, onTick: () => void): () => void {
  const scope = globalThis as Target & { document?: Target & { visibilityState?: string } };
  const { document } = scope;
  const shown = () => {
    if (document?.visibilityState === 'visible') onWake();
  };
  const over = new AbortController();
  for (const name of ['online', 'offline', 'pageshow']) scope.addEventListener?.(name, onWake, over);
  document?.addEventListener?.('visibilitychange', shown, over);
  let stopTimer = () => {};
  const wait = (since: number) => {
    stopTimer = clock.after(TICK_MS, () => {
      const now = clock.now();
      if (now - since > 2 * TICK_MS) onWake();
      else onTick();
      wait(now);
    });
  };
  wait(clock.now());
  return () => {
    stopTimer();
    over.abort();
  };
}
