// Server-Sent Events and POSTs as a transport: one stream for what is told, one request for each command, in order.

/** The server speaks every 15 seconds; silence for more than twice as long is a lost connection. */
const SILENCE_MS_MAX = 35_000;
/** What the server's final refusals mean as close codes; any other, as of a proxy with nobody behind it, may pass. */
const CLOSE_CODES = { forbidden: 4502, bad_token: 4502, bad_field: 4500, too_long: 4500 };

/** Opens a connection, once its first frame (a `hello`) says which session it is for. The shape is that of `websocket.js`. */
export function openSse({ onOpen, onFrame, onClose }) {
  const over = new AbortController();
  let session = null;
  let posts = Promise.resolve();
  let silence = null;
  /** Since when no command has reached the server of the stream, though others answered. */
  let unreachedSince = null;

  function end(close) {
    if (over.signal.aborted) return;
    stop();
    onClose(close);
  }

  function stop() {
    clearTimeout(silence);
    over.abort();
  }

  function heard() {
    clearTimeout(silence);
    silence = setTimeout(() => end({ code: 1006, reason: 'silence' }), SILENCE_MS_MAX);
  }

  function told(frame) {
    if (over.signal.aborted) return;
    if (frame.type === 'welcome') {
      session = { id: frame.session, at: frame.at, token: frame.token ?? session?.token };
    }
    if (frame.type === 'token') session = { ...session, token: frame.token };
    try {
      onFrame(frame);
    } catch (error) {
      // A bug of the page, and no reason to lose the connection, again and again.
      reportError(error);
    }
  }

  async function listen({ resume, positions = {} }) {
    const list = Object.entries(positions).map(([room, position]) => `${room}:${position}`).join(',');
    const answer = await fetch(`/sse${list && `?positions=${encodeURIComponent(list)}`}`, {
      headers: resume ? authorised(resume) : {}, cache: 'no-store', signal: over.signal,
    });
    if (!isStream(answer)) {
      const { code } = await answer.json();
      return end({ code: CLOSE_CODES[code] ?? 1006, reason: code });
    }
    const reader = answer.body.getReader();
    const decoder = new TextDecoder();
    let text = '';
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return end({ code: 1006, reason: 'the stream ended' });
      heard();
      const events = (text + decoder.decode(value, { stream: true })).split('\n\n');
      text = events.pop();
      for (const event of events) {
        const data = dataOf(event);
        if (data !== '') told(JSON.parse(data));
      }
    }
  }

  async function post(frame) {
    if (over.signal.aborted) return;
    // At which of several servers the stream is, where there are: not by cookie, which all tabs of a browser share.
    const at = session.at === undefined ? '' : `?at=${encodeURIComponent(session.at)}`;
    const answer = await fetch(`/sse/${session.id}${at}`, {
      method: 'POST', body: JSON.stringify(frame), cache: 'no-store', signal: over.signal,
      headers: { ...authorised(session.token), 'content-type': 'application/json' },
    });
    const passing = answer.status === 503;
    const said = await answer.json().catch(error => {
      if (!passing) throw error;
    });
    // Who has read the command names it.
    const isReached = !passing || (said?.type === 'error' && said.id === frame.id);
    if (isReached) unreachedSince = null;
    else if (Date.now() - (unreachedSince ??= Date.now()) > SILENCE_MS_MAX) {
      return end({ code: 1006, reason: 'no way to the server of the stream' });
    }
    const answered = isReached ? said : unavailable(said, frame);
    // That of a join or create is only a receipt: the answer itself, a `joined`, comes down the stream.
    const isReceipt = answered.type === 'ack' && (frame.type === 'join' || frame.type === 'create');
    if (!isReceipt) told(answered);
  }

  const lost = error => end({ code: 1006, reason: String(error) });

  queueMicrotask(onOpen);
  return {
    send(frame) {
      // One after another, or a later command could overtake an earlier one.
      if (frame.type === 'hello') listen(frame).catch(lost);
      else posts = posts.then(() => post(frame)).catch(lost);
    },
    close: stop,
  };
}

/** Whether the server itself answers, and would stream: asked without connecting anything. */
export async function reachesSse(patienceMs) {
  try {
    const signal = AbortSignal.timeout(patienceMs);
    return isStream(await fetch('/sse', { method: 'HEAD', cache: 'no-store', signal }));
  } catch {
    return false;
  }
}

/** Not the page of a captive portal, nor that of a proxy with nobody behind it. */
const isStream = answer => answer.ok && (answer.headers.get('content-type') ?? '').startsWith('text/event-stream');

/**
 * What another server or a proxy says in place of the stream's own, as an error of the command, which may have been carried out all the same.
 * The stream lasts, and whoever asked tries again, with the same key.
 */
const unavailable = (said, { id }) =>
  said?.type === 'error' ? { ...said, id } : { type: 'error', code: 'unavailable', id };

const authorised = token => ({ authorization: `Bearer ${token}` });

const dataOf = event =>
  event.split('\n').filter(line => line.startsWith('data:')).map(line => line.slice('data:'.length)).join('\n');
