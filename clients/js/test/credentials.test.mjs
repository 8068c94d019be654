// Who one is: asked for when it is needed, and again where there was nothing to show; the transport is not blamed for it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inRoom, script, turn } from './support/script.mjs';

/** A client whose program answers as `give` says; `whys` are what it was asked. */
function asking(give, options) {
  const whys = [];
  const it = script({ ...options, credentials: why => {
    whys.push(why);
    return give(whys.length);
  } });
  const errors = [];
  it.client.on('error', ({ code, message }) => errors.push([code, message]));
  return Object.assign(it, { whys, errors });
}

test('a program that cannot say who one is is asked again, over the same transport', async () => {
  const it = asking(async count => {
    if (count <= 2) throw new Error('offline');
    return 'pass';
  }, { transports: ['ws', 'sse'] });
  await turn();
  assert.deepEqual([it.errors, it.client.status.name, it.client.status.retryMs], [[['no_credentials', 'Error: offline']], 'waiting', 250]);
  it.clock.run(250);
  await turn();
  assert.equal(it.client.status.retryMs, 500);
  it.clock.run(500);
  await turn();
  assert.deepEqual(it.lines.map(({ name, hello }) => [name, hello.token]), [['ws', 'pass']]);
});

test('a program that never says who one is does not keep the client for ever, and what is no text is nothing', async () => {
  const it = asking(count => count === 1 ? new Promise(() => {}) : count === 2 ? 7 : 'pass');
  await turn();
  it.clock.run(59_000);
  assert.equal(it.client.status.name, 'connecting');
  it.clock.run(1_000);
  await turn();
  assert.deepEqual([it.client.status.name, it.errors.map(([code]) => code)], ['waiting', ['no_credentials']]);
  it.clock.run(250);
  await turn();
  assert.deepEqual([it.lines.length, it.errors.length], [0, 2]);
  it.clock.run(500);
  await turn();
  assert.equal(it.line.hello.token, 'pass');
});

test('what has run out is asked for as such, until there is something else', async () => {
  const it = asking(count => {
    if (count === 2) throw new Error('offline');
    return `pass ${count}`;
  });
  await turn();
  it.line.lose(4007, 'auth_expired');
  it.clock.run(250);
  await turn();
  it.clock.run(500);
  await turn();
  assert.deepEqual([it.whys, it.line.hello.token], [['connect', 'expired', 'expired'], 'pass 3']);
  it.line.welcome();
  it.line.lose();
  it.clock.run(1_000);
  await turn();
  assert.equal(it.whys.at(-1), 'connect');
});

test('what runs out is shown anew, and a refusal of it is told', async () => {
  let isThere = true;
  const it = await inRoom({ credentials: 'pass' });
  assert.equal(it.line.hello.token, 'pass');
  const other = asking(() => isThere ? 'pass' : Promise.reject(new Error('offline')));
  await turn();
  other.line.welcome();
  other.line.tell({ type: 'auth_expiring' });
  await turn();
  other.line.refuse('auth', 'forbidden');
  isThere = false;
  other.line.tell({ type: 'auth_expiring' });
  await turn();
  assert.deepEqual([other.whys, other.errors.map(([code]) => code)], [['connect', 'expiring', 'expiring'], ['forbidden', 'no_credentials']]);
  assert.equal(other.lines[0].isClosed, false);
});
