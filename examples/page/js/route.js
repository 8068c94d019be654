// Which transport the next connection takes: the one that was chosen, or SSE where WebSocket does not get through.

/** Longer than this for the first frame over WebSocket, and something on the way may swallow it. */
const HUNG_MS = 4_000;
/** Longer than this for the first frame over any other transport, and the attempt has failed. */
const WELCOME_MS_MAX = 10_000;
/** How long the server may take to show that it is there. */
const PROBE_MS_MAX = 8_000;

export const DEFAULT_TRANSPORT = 'ws';
const FALLBACK = 'sse';

/**
 * Makes the route. `transports` open connections, by name; `chosen` is one of the names. `isBlocked` says that WebSocket
 * did not get through a short while ago, `reaches(patienceMs)` asks whether the server would stream, and
 * `onBlocked(isBlocked)` hears what was found out about WebSocket.
 *
 * A server that is down is not one whose WebSocket is blocked. So WebSocket is given up for SSE only where it fails while
 * the server is there: it says nothing, and the server answers a plain request; or it is refused, the server answers, and
 * it is refused again. And only a `welcome` over SSE settles it, for as long as the page is open.
 */
export function createRoute({ transports, chosen, isBlocked, reaches, onBlocked }) {
  let choice = chosen;
  let timesChosen = 0;
  let via = chosen === DEFAULT_TRANSPORT && isBlocked ? FALLBACK : chosen;
  /** SSE stands in for WebSocket because it did so when the page was open last. */
  let remembered = via !== choice;
  let refusedOnce = false;
  let settled = false;

  return {
    open: handlers => transports[via](handlers),
    patienceMs: () => via === DEFAULT_TRANSPORT ? HUNG_MS : WELCOME_MS_MAX,
    /** What was chosen, what is in use, and whether that is because WebSocket did not get through. */
    state: () => ({ choice, via, isFallback: via !== choice && (settled || remembered) }),

    choose(name) {
      timesChosen += 1;
      choice = via = name;
      remembered = refusedOnce = settled = false;
    },
    welcomed() {
      refusedOnce = false;
      if (via === DEFAULT_TRANSPORT) onBlocked(false);
      if (via !== choice && !settled && !remembered) onBlocked(true);
      settled = via !== choice;
    },
    /**
     * After an attempt without a `welcome`: answers whether to make the next one at once. `heard` says that the server
     * said something else, `hung` that nobody said anything until patience ran out.
     */
    async failed({ heard, hung }) {
      if (choice !== DEFAULT_TRANSPORT || settled) return false;
      if (via !== choice) {
        const atOnce = remembered;
        via = choice;
        remembered = false;
        return atOnce;
      }
      const again = refusedOnce;
      refusedOnce = false;
      if (heard) return false;
      if (!again) {
        const before = timesChosen;
        const isThere = await reaches(PROBE_MS_MAX);
        if (!isThere || before !== timesChosen) return false;
        refusedOnce = !hung;
      }
      if (!refusedOnce) via = FALLBACK;
      return true;
    },
  };
}
