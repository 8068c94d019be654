// Several tabs with one storage: each writes what is its own, and what one had still to send is not lost by another.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isChatError } from '../dist/index.js';
import { JOINED, ROOM, inRoom, memory, script, turn } from './support/script.mjs';

const KEY = 'chat http://script';
const stored = ({ kept }) => {
  const { token, rooms } = JSON.parse(kept.get(KEY) ?? '{}');
  return [token, rooms?.map(({ outbox }) => outbox.map(({ frame }) => frame.text))];
};
const closing = (code, reason) => ({ type: 'closing', code, reason });
/** What was written, and why it is not sent. */
const refusals = room => {
  const told = [];
  room.on('refused', ({ frame, error }) => told.push([frame.text, error.code]));
  return told;
};

/** The locks of a browser, shared by its tabs, for as long as `use` takes. */
async function inBrowser(use) {
  const held = new Set();
  const locks = {
    async request(name, _, use) {
      if (held.has(name)) return use(null);
      held.add(name);
      await use({ name });
      held.delete(name);
    },
  };
  Object.defineProperty(globalThis, 'navigator', { value: { locks }, configurable: true });
  try {
    await use(held);
  } finally {
    Object.defineProperty(globalThis, 'navigator', { value: undefined, configurable: true });
  }
}

/** Until it is known whose the session is. */
async function claimed({ clock }) {
  await turn();
  clock.run(200);
  await turn();
}

for (const takesOver of [false, true]) {
  test(`a tab that was replaced leaves the token of the other where it is${takesOver ? ', with takesOver, too' : ''}`, async () => {
    const storage = memory();
    const first = await inRoom({ storage, takesOver });
    const second = script({ storage, takesOver });
    assert.equal(second.line.hello.resume, 'S.1.x');
    // The server closes the older one before it welcomes the newer, or after that.
    if (takesOver) first.line.tell(closing(4501, 'replaced'));
    second.line.live(2, { token: 'S.2.x' });
    second.line.tell({ type: 'token', token: 'S.2.x' }, JOINED);
    if (!takesOver) first.line.tell(closing(4501, 'replaced'));
    assert.deepEqual([first.client.status.code, stored(storage)], [4501, ['S.2.x', [[]]]]);
    // What nobody would send or store is not taken.
    for (const late of [first.room.send('late'), first.room.edit(1, 'late'), first.room.react(1, '+1')]) {
      await assert.rejects(late, error => isChatError(error, 'closed'));
    }
    first.client.close();
    assert.deepEqual([stored(storage), first.room.pending], [['S.2.x', [[]]], []]);
    second.client.close();
    const again = script({ storage });
    assert.equal(again.line.hello.resume, 'S.2.x', 'loaded again it is who it was');
    await turn();
  });
}

test('what a tab that was replaced had still to send is sent by the other, and that is said', async () => {
  const storage = memory();
  const first = await inRoom({ storage });
  first.line.lose();
  const told = refusals(first.room);
  first.room.send('on a train', { key: 'k' }).catch(() => {});
  const second = script({ storage });
  first.room.send('later', { key: 'l' }).catch(() => {});
  assert.deepEqual(stored(storage), ['S.1.x', [['on a train']]], 'the other one has it now');
  first.clock.run(250);
  first.line.tell(closing(4501, 'replaced'));
  assert.deepEqual([told, stored(storage)], [[['on a train', 'closed'], ['later', 'closed']], ['S.1.x', [['on a train']]]]);
  second.line.live(2);
  second.line.tell(JOINED);
  assert.deepEqual(second.line.asked('send').text, 'on a train');
  second.line.ack('send', 3);
  assert.deepEqual(stored(storage), ['S.1.x', [[]]]);
});

test('a tab that does not get the session leaves what waits in the storage to be sent', () => inBrowser(async held => {
  const storage = memory();
  const first = await inRoom({ storage });
  first.line.lose();
  first.room.send('on a train', { key: 'k' }).catch(() => {});
  const before = storage.kept.get(KEY);
  const second = script({ storage });
  await claimed(second);
  assert.equal(second.line.hello.resume, undefined);
  assert.equal(storage.kept.get(KEY), before);
  second.line.welcome([], { session: 'T', token: 'T.1.x' });
  second.line.answer('join', { ...JOINED, you: { ...JOINED.you, member: 3, nick: 'Bob2' } });
  second.client.room(ROOM).send('mine', { key: 'm' }).catch(() => {});
  assert.equal(storage.kept.get(KEY), before, 'it stores nothing of its own, either');
  first.room.send('and more', { key: 'l' }).catch(() => {});
  assert.deepEqual(stored(storage), ['S.1.x', [['on a train', 'and more']]], 'the first goes on with it');
  first.client.close();
  second.client.close();
  await turn();
  const again = script({ storage });
  await claimed(again);
  assert.equal(again.line.hello.resume, 'S.1.x');
  again.line.live(2);
  again.line.tell(JOINED);
  assert.equal(again.line.asked('send').text, 'on a train');
  again.client.close();
  await turn();
  assert.deepEqual([...held], []);
}));

test('of two tabs that begin with nothing stored the first in a room is stored, until its session is over', async () => {
  const storage = memory();
  const [first, second] = [await inRoom({ storage }), script({ storage })];
  second.client.close();
  storage.kept.clear();
  const third = script({ storage });
  first.room.send('x', { key: 'k' }).catch(() => {});
  third.line.welcome([], { session: 'T', token: 'T.1.x' });
  third.client.join(ROOM, { nick: 'Cyd' }).catch(() => {});
  third.line.answer('join', JOINED);
  assert.deepEqual(stored(storage), ['S.1.x', [['x']]]);
  first.client.end().catch(() => {});
  first.line.answer('end', { type: 'ended' });
  assert.equal(storage.kept.size, 0);
  third.line.tell({ type: 'token', token: 'T.2.x' });
  assert.deepEqual(stored(storage), ['T.2.x', [[]]], 'nobody has it, and so it is free');
});

test('the copy of a duplicated tab is its own, and what it is from then on is stored there', () => inBrowser(async () => {
  const kept = new Map();
  const first = await inRoom({ storage: memory(kept) });
  first.line.lose();
  first.room.send('mine', { key: 'k' }).catch(() => {});
  const copy = memory(new Map(kept));
  globalThis.sessionStorage = copy;
  try {
    const second = script({ storage: undefined });
    await claimed(second);
    second.line.welcome([], { session: 'T', token: 'T.1.x' });
    second.line.answer('join', JOINED);
    assert.deepEqual([stored(copy), stored({ kept })], [['T.1.x', [[]]], ['S.1.x', [['mine']]]]);
  } finally {
    delete globalThis.sessionStorage;
  }
}));

test('a page that comes out of the cache of the browser stores who it is then, though another one was shown meanwhile', async () => {
  const copy = memory();
  globalThis.sessionStorage = copy;
  try {
    const first = await inRoom({ storage: undefined });
    const second = script({ storage: undefined });
    second.line.live(2);
    second.client.close();
    first.line.tell({ type: 'token', token: 'S.9.x' });
    assert.equal(stored(copy)[0], 'S.9.x');
  } finally {
    delete globalThis.sessionStorage;
  }
});
