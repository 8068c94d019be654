// SSE and POST as a transport, with a `fetch` that answers as a test says.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sseAt } from '../dist/sse.js';
import { VirtualClock } from './support/random.mjs';
import { turn } from './support/script.mjs';

const HELLO = { type: 'hello', id: 0 };
const STREAM = { headers: { 'content-type': 'text/event-stream' } };
const json = (body, status = 200) => new Response(JSON.stringify(body), { status });

/** A connection of which a test holds both ends. */
function open(hello = HELLO, answers = {}) {
  const it = { asked: [], told: [], closed: [], isOpen: false, clock: new VirtualClock(() => 0.5), answers };
  const fetch = async (url, init) => {
    it.asked.push([url, init]);
    if (init.method === 'POST') return it.answers.post(JSON.parse(init.body));
    return it.answers.stream ?? new Response(new ReadableStream({ start: stream => { it.stream = stream; } }), STREAM);
  };
  it.transport = sseAt('http://chat', it.clock, fetch)(hello, {
    onOpen: () => { it.isOpen = true; },
    onFrame: frame => it.told.push(frame),
    onClose: (code, reason) => it.closed.push([code, reason]),
  });
  it.write = text => it.stream.enqueue(new TextEncoder().encode(text));
  it.say = frame => it.write(`event: ${frame.type}\ndata: ${JSON.stringify(frame)}\nid: x\n\n`);
  it.headers = () => it.asked.at(-1)[1].headers;
  return it;
}

async function welcomed(fields = {}, answers = {}) {
  const it = open(HELLO, answers);
  await turn();
  it.say({ type: 'welcome', session: 'S', token: 'S.1.x', rooms: [], resumed: false, ...fields });
  await turn();
  return it;
}

test('which session is meant, and who one is, stands in headers, and in no address', () => {
  const back = { ...HELLO, resume: 'S.1.x', positions: { TEA: 'E:7', LUNCH: 'F:9' }, catch_up: 500 };
  const asked = hello => {
    const it = open(hello);
    return [it.asked[0][0], it.headers()];
  };
  assert.deepEqual(asked(HELLO), ['http://chat/sse', {}]);
  assert.deepEqual(asked(back), ['http://chat/sse?catch_up=500', { 'last-event-id': 'S.1.x~TEA:E:7,LUNCH:F:9' }]);
  assert.deepEqual(asked({ ...HELLO, resume: 'S.1.x', token: 'who I am' }), [
    'http://chat/sse', { 'last-event-id': 'S.1.x~', authorization: 'Bearer who I am' },
  ]);
});

test('frames are taken out of the stream wherever it is cut, and comments passed over', async () => {
  const it = await welcomed();
  const text = ':\n\nevent: message\ndata: {"type":"message","text":"grüße"}\nid: y\n\nretry: 9\n\n';
  const bytes = new TextEncoder().encode(text);
  for (const byte of bytes) it.stream.enqueue(new Uint8Array([byte]));
  for (let count = 0; count < 5; count += 1) await turn();
  assert.deepEqual(it.told.slice(1), [{ type: 'message', text: 'grüße' }]);
});

test('commands go one after the other, to the server of the stream, under the newest token', async () => {
  const posted = [];
  let answer;
  const it = await welcomed({ at: 'node 1' }, {
    post: frame => {
      posted.push(frame.id);
      return new Promise(done => { answer = () => done(json({ type: 'ack', id: frame.id, seq: 1 })); });
    },
  });
  it.say({ type: 'token', token: 'S.1.y' });
  await turn();
  it.transport.send({ type: 'topic', id: 1 });
  it.transport.send({ type: 'topic', id: 2 });
  await turn();
  assert.deepEqual([posted, it.asked.at(-1)[0], it.headers().authorization], [[1], 'http://chat/sse/S?at=node%201', 'Bearer S.1.y']);
  assert.ok(it.transport.buffered() > 0);
  answer();
  await turn();
  assert.deepEqual([posted, it.told.at(-1)], [[1, 2], { type: 'ack', id: 1, seq: 1 }]);
  answer();
  await turn();
  assert.equal(it.transport.buffered(), 0);
});

test('what answers a join is its joined, and no receipt', async () => {
  const it = await welcomed({}, { post: ({ id }) => json({ type: 'ack', id, seq: 2 }) });
  const before = it.told.length;
  it.transport.send({ type: 'join', id: 1, room: 'TEA', nick: 'Bob' });
  await turn();
  assert.equal(it.told.length, before);
});

test('a server out of reach is an answer, and for too long the end of the connection', async () => {
  const it = await welcomed({}, { post: () => new Response('<html>', { status: 503 }) });
  it.transport.send({ type: 'topic', id: 1 });
  await turn();
  assert.deepEqual(it.told.at(-1), { type: 'error', code: 'unavailable', message: 'out of reach', id: 1 });
  it.clock.run(30_000);
  it.answers.post = ({ id }) => json({ type: 'error', id, code: 'draining', message: 'draining' }, 503);
  it.transport.send({ type: 'topic', id: 2 });
  await turn();
  assert.equal(it.told.at(-1).code, 'draining', 'who names the command has read it');
  it.say({ type: 'typing', room: 'TEA', members: [] });
  await turn();
  it.answers.post = () => new Response('', { status: 503 });
  it.transport.send({ type: 'topic', id: 3 });
  await turn();
  for (let ms = 0; ms < 40_000; ms += 10_000) {
    it.clock.run(10_000);
    it.write(':\n\n');
    await turn();
  }
  assert.deepEqual(it.closed, []);
  it.transport.send({ type: 'topic', id: 4 });
  await turn();
  assert.deepEqual(it.closed, [[1006, 'no way to the server of the stream']]);
});

test('a stream that is silent, ends, or is none is lost', async () => {
  const silent = await welcomed();
  silent.clock.run(35_000);
  assert.deepEqual(silent.closed, [[1006, 'silence']]);
  const over = await welcomed();
  over.stream.close();
  await turn();
  assert.deepEqual(over.closed, [[1006, 'the stream ended']]);
  const portal = open(HELLO, { stream: new Response('<html>', { headers: { 'content-type': 'text/html' } }) });
  await turn();
  assert.equal(portal.closed[0][0], 1006);
});

test('a refusal of the stream that is final is one of the connection, and said', async () => {
  for (const [code, close] of [['forbidden', 4502], ['bad_token', 4502], ['auth_expired', 4007], ['bad_field', 4500], ['unheard_of', 1006]]) {
    const said = { type: 'error', code, message: code };
    const it = open(HELLO, { stream: json(said, 403) });
    await turn();
    assert.deepEqual([it.closed, it.told], [[[close, code]], [said]]);
  }
  const asked = open(HELLO, { stream: new Response('<html>', { status: 401 }) });
  await turn();
  assert.deepEqual([asked.closed, asked.told], [[[4007, '']], []], 'somebody on the way wants credentials');
});

test('a command that is too long on the way is refused, and the stream goes on', async () => {
  const it = await welcomed({}, { post: () => json({ type: 'error', code: 'too_long', message: 'the frame', limit: 9 }, 413) });
  it.transport.send({ type: 'topic', id: 1 });
  await turn();
  assert.deepEqual(it.told.at(-1), { id: 1, type: 'error', code: 'too_long', message: 'the frame', limit: 9 });
  it.answers.post = () => new Response('<html>', { status: 413 });
  it.transport.send({ type: 'topic', id: 2 });
  await turn();
  assert.deepEqual([it.told.at(-1).id, it.told.at(-1).code, it.closed], [2, 'too_long', []]);
});

test('what is closed says nothing any more', async () => {
  const it = await welcomed();
  it.transport.close();
  it.clock.run(100_000);
  it.transport.send({ type: 'topic', id: 1 });
  await turn();
  assert.deepEqual([it.closed, it.asked.length], [[], 1]);
});
