// The page over each transport, chosen by its address or in its menu: the same chat.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  choose, create, enter, hear, inRoom, messages, notice, notices, over, PATIENCE_MS, say, startServer, tryToEnter,
  withBrowser,
} from './chat.mjs';
import { startProxy } from './proxy.mjs';

const TRANSPORTS = [['ws', 'WebSocket'], ['sse', 'SSE + POST'], ['socketio', 'Socket.IO']];

withBrowser('transports', chat => {
  for (const [name, words] of TRANSPORTS) {
    const path = `/?transport=${name}`;

    test(`over ${words}: rooms, history, messages, a reload, a leave`, async () => {
      const [ann, bob] = [await chat.open(path), await chat.open(path)];
      const code = await create(ann, 'Ann');
      await over(ann, words);
      await say(ann, 'before Bob came');
      await hear(ann, 'before Bob came');
      await tryToEnter(bob, 'Ann', code);
      await bob.getByText('Somebody in the room has this name').waitFor();
      await enter(bob, 'Bob', code);
      await over(bob, words);
      await hear(bob, 'before Bob came');
      assert.deepEqual(await notices(bob), []);
      await say(bob, 'hello Ann');
      await hear(ann, 'hello Ann');
      await bob.getByLabel('Message', { exact: true }).fill('hm');
      await ann.getByText('Bob is typing').waitFor();

      await bob.reload();
      await inRoom(bob, code);
      await over(bob, words);
      assert.equal(new URL(bob.url()).searchParams.get('transport'), name);
      await hear(bob, 'hello Ann');
      await say(bob, 'after the reload');
      await hear(ann, 'after the reload');
      const all = ['before Bob came', 'hello Ann', 'after the reload'];
      assert.deepEqual(await messages(ann), all);
      assert.deepEqual(await messages(bob), all);
      assert.deepEqual(await notices(ann), ['Bob joined']);
      assert.deepEqual(await notices(bob), []);

      await bob.getByRole('button', { name: 'Leave this room' }).click();
      await bob.locator('#home').waitFor();
      await notice(ann, 'Bob left');
    });

    test(`over ${words}: being offline loses nothing and doubles nothing`, async () => {
      const proxy = await startProxy(chat.server.port);
      const [ann, bob] = [await chat.open(), await chat.open(path, { url: proxy.url })];
      await enter(bob, 'Bob', await create(ann, 'Ann'));
      await say(ann, 'one');
      await hear(bob, 'one');
      await bob.context().setOffline(true);
      proxy.cut();
      await bob.getByText('This device is offline.').waitFor();
      await say(ann, 'two');
      await say(bob, 'three');
      await say(bob, 'four');
      await hear(ann, 'two');
      await bob.locator('.message.pending').nth(1).waitFor();
      proxy.mend();
      await bob.context().setOffline(false);
      await hear(bob, 'four');
      await hear(ann, 'four');
      for (const page of [ann, bob]) assert.deepEqual(await messages(page), ['one', 'two', 'three', 'four']);
      assert.deepEqual(await notices(ann), ['Bob joined']);
      await over(bob, words);
    });

    test(`over ${words}: a copied tab takes over, and the first one stays quiet`, async () => {
      const [ann, bob] = [await chat.open(), await chat.open(path)];
      const code = await create(ann, 'Ann');
      await enter(bob, 'Bob', code);
      const saved = await bob.waitForFunction(() => sessionStorage.getItem('chat.client'));
      const copied = await chat.open(`${path}#${code}`, { context: bob.context(), session: await saved.jsonValue() });
      await inRoom(copied, code);
      await bob.getByRole('heading', { name: 'This chat continues in another tab' }).waitFor();
      await say(copied, 'from the copy');
      await hear(ann, 'from the copy');
      assert.deepEqual(await notices(ann), ['Bob joined']);
      await bob.getByRole('button', { name: 'Use here' }).click();
      await enter(bob, 'Bob two', code);
      await over(bob, words);
      await hear(bob, 'from the copy');
    });

    test(`over ${words}: the page comes back to a server that was restarted in good order`, async () => {
      const server = await startServer({ flags: ['--send-rate', '0', '--sessions-per-address', '0', '--drain-spread', '0'] });
      const ann = await chat.open(path, { url: server.url });
      const code = await create(ann, 'Ann');
      await server.drain();
      await ann.getByText(/The server is restarting\.|No connection\./).waitFor();
      await startServer({ port: server.port });
      await ann.getByRole('heading', { name: 'This room no longer exists' }).waitFor({ timeout: 2 * PATIENCE_MS });
      await over(ann, words);
      await ann.getByRole('button', { name: 'Create it again' }).click();
      await inRoom(ann, code);
      await say(ann, 'here again');
      await hear(ann, 'here again');
    });
  }

  test('people on different transports see the same messages in the same order', async () => {
    const pages = await Promise.all(TRANSPORTS.map(([name]) => chat.open(`/?transport=${name}`)));
    const code = await create(pages[0], 'Ws');
    await enter(pages[1], 'Sse', code);
    await enter(pages[2], 'Sio', code);
    const said = [];
    for (let round = 0; round < 8; round += 1) {
      const texts = pages.map((_, index) => `${round} from ${index}`);
      said.push(...texts);
      await Promise.all(pages.map((page, index) => say(page, texts[index])));
    }
    for (const page of pages) {
      await page.waitForFunction(most => document.querySelectorAll('.message[data-state=told]').length === most, said.length);
    }
    const [first, ...others] = await Promise.all(pages.map(messages));
    assert.deepEqual([...first].sort(), [...said].sort());
    for (const other of others) assert.deepEqual(other, first);
    // Of one sender everything comes in the order it was written.
    for (const index of pages.keys()) {
      const own = text => text.endsWith(` from ${index}`);
      assert.deepEqual(first.filter(own), said.filter(own));
    }
  });

  test('a transport chosen in the menu takes the session over, and is remembered', async () => {
    const [ann, bob] = [await chat.open(), await chat.open()];
    const code = await create(ann, 'Ann');
    await enter(bob, 'Bob', code);
    for (const [, words] of TRANSPORTS.toReversed()) {
      await choose(bob, words);
      await say(bob, `written while changing to ${words}`);
      await over(bob, words);
      await hear(bob, `written while changing to ${words}`);
      await hear(ann, `written while changing to ${words}`);
    }
    const all = TRANSPORTS.toReversed().map(([, words]) => `written while changing to ${words}`);
    assert.deepEqual(await messages(ann), all);
    assert.deepEqual(await messages(bob), all);
    assert.deepEqual(await notices(ann), ['Bob joined']);

    await choose(bob, 'SSE + POST');
    await over(bob, 'SSE + POST');
    const next = await chat.open('/', { context: bob.context() });
    await over(next, 'SSE + POST');
    // The address is for this visit, and says more than what was remembered.
    const other = await chat.open('/?transport=socketio', { context: bob.context() });
    await over(other, 'Socket.IO');
    await choose(other, 'WebSocket');
    await over(other, 'WebSocket');
    assert.equal(new URL(other.url()).search, '');
    const last = await chat.open('/', { context: bob.context() });
    await over(last, 'WebSocket');
  });

  test('the Socket.IO client is fetched only where it is chosen', async () => {
    const ann = await chat.open();
    await over(ann, 'WebSocket');
    const fetched = () => ann.evaluate(() =>
      performance.getEntriesByType('resource').filter(entry => entry.name.includes('/vendor/')).length);
    assert.equal(await fetched(), 0);
    await choose(ann, 'Socket.IO');
    await over(ann, 'Socket.IO');
    assert.equal(await fetched(), 1);
  });

  test('the menu is used by keyboard, and gives the focus back', async () => {
    const ann = await chat.open();
    await over(ann, 'WebSocket');
    const button = ann.getByRole('button', { name: 'Transport: WebSocket' });
    await button.focus();
    await ann.keyboard.press('Enter');
    await ann.waitForFunction(() => document.activeElement.getAttribute('aria-pressed') === 'true');
    await ann.keyboard.press('Escape');
    await ann.locator('#transports').waitFor({ state: 'hidden' });
    assert.equal(await button.evaluate(node => node === document.activeElement), true);
    await ann.keyboard.press('Enter');
    await ann.keyboard.press('Tab');
    await ann.keyboard.press('Enter');
    await over(ann, 'SSE + POST');
  });
});
