// Which transport the next connection takes: the one that was chosen, or SSE where WebSocket does not get through.

import { base } from './dom.js';

/** Longer than this for the first frame over WebSocket, and something on the way may swallow it. */
const HUNG_MS = 4_000;
/** Longer than this for the first frame over any other transport, and the attempt has failed. */
const WELCOME_MS_MAX = 10_000;
/** How long the server may take to show that it is there. */
const PROBE_MS_MAX = 8_000;

export const DEFAULT_TRANSPORT = 'ws';
const FALLBACK = 'sse';

/** Close codes from 4500 to 4999 say: do not come back. */
const isFinal = code => code >= 4500 && code <= 4999;

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

  const route = {
    open: (hello, handlers) => openOver(route, transports, hello, handlers),
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
  return route;
}

/** One connection, over whichever of the transports gets through: itself a transport of the client. */
function openOver(route, transports, hello, { onOpen, onFrame, onClose }) {
  let current = null;
  let isOver = false;

  function attempt() {
    const mine = { transport: null, heard: false, welcomed: false, timer: null };
    current = mine;
    const wait = ms => {
      clearTimeout(mine.timer);
      mine.timer = setTimeout(() => lose(1006, 'no answer', true), ms);
    };
    const lose = async (code, reason, hung = false) => {
      if (current !== mine) return;
      drop();
      if (!mine.welcomed && !isFinal(code)) {
        // The client is patient for as long again, while it is found out what it was.
        onOpen();
        const isNext = await route.failed({ heard: mine.heard || code >= 4000, hung });
        if (isOver) return;
        if (isNext) return attempt();
      }
      onClose(code, reason);
    };
    wait(route.patienceMs());
    mine.transport = transports[route.state().via](hello, {
      // The server is there. It may be slow: its rooms are asked before it says welcome.
      onOpen() {
        wait(WELCOME_MS_MAX);
        onOpen();
      },
      onFrame(frame) {
        if (current !== mine) return;
        mine.heard = true;
        if (frame.type === 'welcome') {
          mine.welcomed = true;
          clearTimeout(mine.timer);
          route.welcomed();
        }
        onFrame(frame);
      },
      onClose: lose,
    });
  }

  function drop() {
    clearTimeout(current?.timer);
    current?.transport?.close();
    current = null;
  }

  attempt();
  return {
    send: frame => current?.transport.send(frame),
    buffered: () => current?.transport?.buffered() ?? 0,
    close() {
      isOver = true;
      drop();
    },
  };
}

/** Whether the server itself answers, and would stream: asked without connecting anything. */
export async function reachesServer(patienceMs) {
  try {
    const signal = AbortSignal.timeout(patienceMs);
    const { ok, headers } = await fetch(`${base()}sse`, { method: 'HEAD', cache: 'no-store', signal });
    // Not the page of a captive portal, nor that of a proxy with nobody behind it.
    return ok && (headers.get('content-type') ?? '').startsWith('text/event-stream');
  } catch {
    return false;
  }
}
