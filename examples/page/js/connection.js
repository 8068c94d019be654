// One connection after another: opens, says hello, matches answers to requests, and comes back when it is lost.

/** The first wait after a loss; each further one doubles it. */
const BACKOFF_MIN_MS = 400;
/** The longest wait: a server that comes back is found again within this time. */
const BACKOFF_MAX_MS = 20_000;
/** A connection that held this long was a good one: the next loss starts from the first wait again. */
const STEADY_MS = 5_000;
/** Longer than this for a welcome once the server was reached, and nothing that is said gets through. */
const WELCOME_MS_MAX = 10_000;
/** Longer than this for an answer, and the connection is dead although nobody said so. */
const ANSWER_MS_MAX = 15_000;

/** How long to wait before attempt number `attempt` (from 0): doubling, and spread so that not all come at once. */
export function backoffMs(attempt, random = Math.random) {
  const most = Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** attempt);
  return Math.round(most / 2 + random() * most / 2);
}

/** Close codes from 4500 to 4999 say: do not come back. */
const isFinal = code => code >= 4500 && code <= 4999;

/**
 * Makes the keeper of connections; `start` opens the first.
 *
 * `route` opens transports and says which, `hello()` gives the first frame of each connection,
 * `onFrame(frame, context)` hears every frame, with the context its request was made with, if it is an answer, and
 * `onStatus(status)` hears `{ name: 'connecting' | 'open' | 'waiting' | 'ended', retryAt?, code?, reason? }`.
 */
export function createConnection({ route, hello, onFrame, onStatus }) {
  let current = null;
  let attempt = 0;
  let nextId = 1;
  let retryTimer = null;
  /** What the route makes of a failed attempt, while it finds out. */
  let judging = null;

  function start() {
    clearTimeout(retryTimer);
    retryTimer = judging = null;
    const connection = {
      transport: null, answers: new Map(), heard: false, openedAt: null, advice: null, timer: null,
    };
    current = connection;
    onStatus({ name: 'connecting' });
    const hung = () => lose(connection, { code: 1006, reason: 'no answer', hung: true });
    connection.timer = setTimeout(hung, route.patienceMs());
    connection.transport = route.open({
      onOpen() {
        if (current !== connection) return;
        connection.transport.send(hello());
        // The server is there. It may be slow: its rooms are asked before it says welcome.
        clearTimeout(connection.timer);
        connection.timer = setTimeout(hung, WELCOME_MS_MAX);
      },
      onFrame: frame => current === connection && receive(connection, frame),
      onClose: close => lose(connection, close),
    });
  }

  function receive(connection, frame) {
    connection.heard = true;
    if (frame.type === 'welcome') {
      clearTimeout(connection.timer);
      connection.openedAt = Date.now();
      route.welcomed();
      onStatus({ name: 'open' });
    }
    if (frame.type === 'closing') {
      connection.advice = frame;
      return lose(connection, { code: frame.code, reason: frame.reason });
    }
    const request = connection.answers.get(frame.id);
    if (request) {
      connection.answers.delete(frame.id);
      clearTimeout(request.timer);
    }
    onFrame(frame, request?.context);
  }

  async function lose(connection, close) {
    if (current !== connection) return;
    drop(connection);
    if (isFinal(close.code)) return onStatus({ name: 'ended', code: close.code, reason: close.reason });
    if (connection.openedAt === null) {
      const heard = connection.heard || close.code >= 4000;
      const judged = judging = route.failed({ heard, hung: close.hung === true });
      const atOnce = await judged;
      // The person has chosen another transport meanwhile.
      if (judging !== judged) return;
      judging = null;
      if (atOnce) return start();
    } else if (Date.now() - connection.openedAt >= STEADY_MS) {
      attempt = 0;
    }
    const wait = connection.advice?.reconnect_after_ms ?? backoffMs(attempt);
    attempt += 1;
    retryTimer = setTimeout(start, wait);
    onStatus({ name: 'waiting', retryAt: Date.now() + wait, code: close.code, reason: close.reason });
  }

  function drop(connection) {
    current = null;
    clearTimeout(connection.timer);
    for (const request of connection.answers.values()) clearTimeout(request.timer);
    connection.transport?.close();
  }

  const isOpen = () => current !== null && current.openedAt !== null;

  return {
    start,
    isOpen,
    /** Sends a frame that wants no answer; dropped when there is no connection. */
    tell(frame) {
      if (isOpen()) current.transport.send(frame);
    },
    /** Sends a command; `context` comes back with its answer, unless the connection is lost first. */
    request(frame, context) {
      if (!isOpen()) return false;
      const connection = current;
      const id = nextId++;
      const timer = setTimeout(() => lose(connection, { code: 1006, reason: 'no answer' }), ANSWER_MS_MAX);
      connection.answers.set(id, { context, timer });
      connection.transport.send({ ...frame, id });
      return true;
    },
    /** Tries again at once, where a wait is running. */
    retryNow() {
      if (current === null && retryTimer !== null) start();
    },
    /** Drops this connection, if there is one, and opens another. */
    restart() {
      if (current) drop(current);
      attempt = 0;
      start();
    },
  };
}
