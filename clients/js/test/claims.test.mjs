// Which tab has the session, where locks are granted a little later, as those of a browser are: asked for twice, it is claimed once.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memory, script, turn } from './support/script.mjs';

/** What was stored by a page that had something to say. */
const ENTRY = { key: 'k', frame: { type: 'send', text: 'unsent' }, epoch: null, member: null };
const STORED = JSON.stringify({ token: 'S.1.x', rooms: [{ code: 'LUNCH', entrance: { nick: 'Ann' }, outbox: [ENTRY] }] });

/** A page that has that in store, in a browser whose locks are granted in the next turn, `held` by others at first. */
async function page(held, act) {
  const names = new Set(held);
  const locks = {
    async request(name, _, use) {
      await turn();
      if (names.has(name)) return use(null);
      names.add(name);
      await use({ name });
      names.delete(name);
    },
  };
  Object.defineProperty(globalThis, 'navigator', { value: { locks }, configurable: true });
  try {
    const it = script({ storage: memory(new Map([['chat http://script', STORED]])) });
    act(it.client);
    for (let step = 0; step < 4; step += 1) {
      await turn();
      await turn();
      it.clock.run(200);
    }
    const seen = [it.lines.map(({ hello }) => hello.resume), it.client.rooms[0].pending.length, [...names]];
    it.client.close();
    for (let step = 0; step < 4; step += 1) await turn();
    assert.deepEqual([...names], held, 'what was claimed is let go');
    return seen;
  } finally {
    Object.defineProperty(globalThis, 'navigator', { value: undefined, configurable: true });
  }
}

test('a page that closes and connects again while the session is being claimed keeps it, and what waits', async () => {
  assert.deepEqual(await page([], client => {
    client.close();
    client.connect();
  }), [['S.1.x'], 1, ['chat S']]);
  assert.deepEqual(await page([], client => {
    for (let count = 0; count < 3; count += 1) {
      client.close();
      client.connect();
      client.connect();
    }
  }), [['S.1.x'], 1, ['chat S']]);
});

test('a duplicated tab does not take the session because it is asked to connect twice', async () => {
  assert.deepEqual(await page(['chat S'], client => client.connect()), [[undefined], 0, ['chat S']]);
});
