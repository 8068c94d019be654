// SSE and POST over a `fetch` that a test answers: what the browser tests cannot bring about on purpose.

import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { openSse } from '../../examples/page/js/sse.js';

/** A connection whose stream says this welcome, and whose commands are answered with these, one after the other. */
async function connected(t, welcome, answers) {
  const frames = [];
  const posts = [];
  const closed = mock.fn();
  t.mock.method(globalThis, 'fetch', async (url, { method, body }) => {
    if (method !== 'POST') {
      const stream = new ReadableStream({
        start: told => told.enqueue(new TextEncoder().encode(`event: welcome\ndata: ${JSON.stringify(welcome)}\n\n`)),
      });
      return new Response(stream, { headers: { 'content-type': 'text/event-stream' } });
    }
    posts.push({ url, frame: JSON.parse(body) });
    return answers.shift();
  });
  const heard = [];
  const onFrame = frame => {
    frames.push(frame);
    heard.shift()?.(frame);
  };
  const next = () => new Promise(done => heard.push(done));
  const connection = openSse({ onOpen() {}, onFrame, onClose: closed });
  t.after(connection.close);
  const first = next();
  connection.send({ type: 'hello' });
  await first;
  return { connection, posts, next, closed };
}

const SEND = { type: 'send', id: 7, room: 'LUNCH', text: 'hi', key: 'c0ffee' };
const WELCOME = { type: 'welcome', session: 'S', token: 'T' };

test('a command says at which server the stream is, where there are several', async t => {
  for (const [welcome, url] of [[WELCOME, '/sse/S'], [{ ...WELCOME, at: 'node-1' }, '/sse/S?at=node-1']]) {
    const ack = { type: 'ack', id: 7, room: 'LUNCH', seq: 2 };
    const { connection, posts, next } = await connected(t, welcome, [Response.json(ack)]);
    const answered = next();
    connection.send(SEND);
    assert.deepEqual(await answered, ack);
    assert.equal(posts[0].url, url);
    globalThis.fetch.mock.restore();
  }
});

test('a command that is not answered now may be tried again, and the stream lasts', async t => {
  const refused = { type: 'error', code: 'unavailable', message: 'cannot be reached', retry_after_ms: 1_000 };
  const { connection, next, closed } = await connected(t, WELCOME, [
    Response.json(refused, { status: 503 }),
    new Response('<h1>Service Unavailable</h1>', { status: 503, headers: { 'content-type': 'text/html' } }),
    Response.json({ message: 'no healthy upstream' }, { status: 503 }),
  ]);
  for (const expected of [{ ...refused, id: 7 }, ...Array(2).fill({ type: 'error', code: 'unavailable', id: 7 })]) {
    const answered = next();
    connection.send(SEND);
    assert.deepEqual(await answered, expected);
  }
  assert.equal(closed.mock.callCount(), 0);
});

test('a stream to whose server no command finds for long is opened anew, and one that refuses by itself is not', async t => {
  t.mock.timers.enable({ apis: ['Date'] });
  const elsewhere = { type: 'error', code: 'unavailable', message: 'cannot be reached' };
  for (const [answer, closes] of [[elsewhere, 1], [{ ...elsewhere, id: SEND.id }, 0]]) {
    const answers = Array.from({ length: 8 }, () => Response.json(answer, { status: 503 }));
    const { connection, posts, next, closed } = await connected(t, WELCOME, answers);
    for (let waited = 0; waited <= 30; waited += 10) {
      const answered = next();
      connection.send(SEND);
      await answered;
      t.mock.timers.tick(10_000);
    }
    assert.equal(closed.mock.callCount(), 0);
    const answered = next();
    connection.send(SEND);
    await Promise.race([answered, new Promise(done => closed.mock.mockImplementation(done))]);
    assert.equal(closed.mock.callCount(), closes);
    assert.equal(posts.length, 5);
    globalThis.fetch.mock.restore();
  }
});
