// Server-Sent Events and POSTs as a transport: one stream for what is told, one request for each command, in order.

import { STREAM_SILENCE_MS_MAX } from './bounds.js';
import { systemClock } from './clock.js';
import { ABNORMAL, CREDENTIALS_EXPIRED } from './transport.js';
import type { Opener } from './transport.js';
import type { ClientFrame, ErrorFrame, Hello, ServerFrame } from './wire.js';
import type { Clock } from './clock.js';

/** What the server's final refusals of a stream mean as close codes; any other, as of a proxy with nobody behind it, may pass. */
const CLOSE_CODES: Readonly<Record<string, number>> = {
  auth_expired: CREDENTIALS_EXPIRED, forbidden: 4502, bad_token: 4502, bad_field: 4500, too_long: 4500,
};

/** The transport over Server-Sent Events and POSTs, to a server at `https://...`. */
export function sseAt(url: string, clock: Clock = systemClock, fetch = globalThis.fetch.bind(globalThis)): Opener {
  return (hello, { onOpen, onFrame, onClose }) => {
    const over = new AbortController();
    const { signal } = over;
    const stream: { session: string; at: string | undefined; token: string } = { session: '', at: undefined, token: hello.resume ?? '' };
    let posts: Promise<void> = Promise.resolve();
    let buffered = 0;
    let stopSilence = () => {};
    /** Since when no command has reached the server of the stream, though others answered. */
    let unreachedSince: number | null = null;

    function stop(): void {
      stopSilence();
      over.abort();
    }

    function end(code: number, reason: string): void {
      if (signal.aborted) return;
      stop();
      onClose(code, reason);
    }

    function heard(): void {
      stopSilence();
      stopSilence = clock.after(STREAM_SILENCE_MS_MAX, () => end(ABNORMAL, 'silence'));
    }

    function tell(frame: ServerFrame): void {
      if (signal.aborted) return;
      if (frame.type === 'welcome') {
        stream.session = frame.session;
        stream.at = frame.at;
      }
      if (frame.type === 'welcome' || frame.type === 'token') stream.token = frame.token ?? stream.token;
      onFrame(frame);
    }

    async function listen(): Promise<void> {
      const catchUp = hello.catch_up === undefined ? '' : `?catch_up=${hello.catch_up}`;
      const answer = await fetch(`${url}/sse${catchUp}`, { headers: headersOf(hello), cache: 'no-store', signal });
      onOpen();
      if (!answer.ok || !answer.headers.get('content-type')?.startsWith('text/event-stream') || !answer.body) {
        const said = await answer.json().catch(() => ({})) as Partial<ErrorFrame>;
        const { code = '' } = said;
        if (said.type === 'error') tell(said as ErrorFrame);
        // Also where somebody on the way asks for credentials.
        return end(CLOSE_CODES[code] ?? (answer.status === 401 ? CREDENTIALS_EXPIRED : ABNORMAL), code);
      }
      heard();
      const reader = answer.body.getReader();
      const decoder = new TextDecoder();
      let text = '';
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return end(ABNORMAL, 'the stream ended');
        heard();
        const events = (text + decoder.decode(value, { stream: true })).split('\n\n');
        text = events.pop()!;
        for (const event of events) {
          const data = event.split('\n').filter(line => line.startsWith('data:')).map(line => line.slice(5)).join('\n');
          if (data !== '') tell(JSON.parse(data));
        }
      }
    }

    async function post(frame: ClientFrame): Promise<void> {
      if (signal.aborted) return;
      const id = frame.id as number;
      // At which of several servers the stream is, where there are: not by cookie, which all tabs of a browser share.
      const at = stream.at === undefined ? '' : `?at=${encodeURIComponent(stream.at)}`;
      const answer = await fetch(`${url}/sse/${stream.session}${at}`, {
        method: 'POST', body: JSON.stringify(frame), cache: 'no-store', signal,
        headers: { authorization: `Bearer ${stream.token}`, 'content-type': 'application/json' },
      });
      const isPassing = answer.status === 503;
      const said = await answer.json().catch(error => {
        if (answer.status === 413) return { type: 'error', code: 'too_long', message: 'this is longer than is taken' };
        if (!isPassing) throw error;
        return undefined;
      }) as ServerFrame & { id?: number } | undefined;
      // Whoever has read the command names it.
      const isReached = said !== undefined && (!isPassing || (said.type === 'error' && said.id === id));
      if (isReached) {
        unreachedSince = null;
        // That of a join or create is only a receipt: the answer itself, a `joined`, comes down the stream.
        // Of a frame that it has not read the server does not say the number.
        if (said.type !== 'ack' || (frame.type !== 'join' && frame.type !== 'create')) tell({ id, ...said });
        return;
      }
      unreachedSince ??= clock.now();
      if (clock.now() - unreachedSince > STREAM_SILENCE_MS_MAX) return end(ABNORMAL, 'no way to the server of the stream');
      // The stream lasts, and whoever asked tries again, with the same key.
      tell({ type: 'error', code: 'unavailable', message: 'out of reach', id });
    }

    const lost = (error: unknown): void => end(ABNORMAL, String(error));
    listen().catch(lost);
    return {
      send(frame) {
        const { length } = JSON.stringify(frame);
        buffered += length;
        // One after another, or a later command could overtake an earlier one.
        posts = posts.then(() => post(frame)).catch(lost).finally(() => { buffered -= length; });
      },
      close: stop,
      buffered: () => buffered,
    };
  };
}

/** The way back in headers: an address ends up in the logs of whatever it passes. */
function headersOf({ resume, positions = {}, token }: Hello): Record<string, string> {
  const list = Object.entries(positions).map(([room, position]) => `${room}:${position}`);
  return { ...(resume !== undefined && { 'last-event-id': `${resume}~${list}` }), ...(token !== undefined && { authorization: `Bearer ${token}` }) };
}
