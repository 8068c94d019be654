// Where WebSocket does not get through, the page goes on over SSE; where the server is down, it does not.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import {
  choose, create, enter, hear, inRoom, messages, notices, over, PATIENCE_MS, say, startServer, withBrowser,
} from './chat.mjs';
import { startProxy } from './proxy.mjs';

const MARK = 'chat.websocket-blocked';

withBrowser('fallback', chat => {
  /** Declares a test with a proxy in front of the server. */
  const behindProxy = (name, rules, run) => test(name, async () => run(await startProxy(chat.server.port, rules)));
  const waitFor = async isSo => {
    const until = Date.now() + PATIENCE_MS;
    while (!isSo()) {
      assert.ok(Date.now() < until, 'it never came true');
      await setTimeout(20);
    }
  };
  const mark = page => page.evaluate(name => localStorage.getItem(name), MARK);
  const toast = page => page.getByText('WebSocket does not get through here. Connected over SSE + POST instead.');

  for (const upgrades of ['refused', 'swallowed', 'muted']) {
    behindProxy(`a WebSocket that is ${upgrades} on the way is replaced by SSE, and the page says so`, { upgrades }, async proxy => {
      const [ann, bob] = [await chat.open(), await chat.open('/', { url: proxy.url })];
      await enter(bob, 'Bob', await create(ann, 'Ann'));
      await toast(bob).waitFor();
      await over(bob, 'SSE + POST');
      await say(bob, 'hello');
      await hear(ann, 'hello');
      assert.ok(Number(await mark(bob)) > 0);
      assert.equal(await mark(ann), null);
      await bob.getByRole('button', { name: 'Transport: SSE + POST' }).click();
      await bob.getByText('WebSocket did not get through here').waitFor();
    });
  }

  for (const upgrades of ['refused', 'swallowed']) {
    behindProxy(`Socket.IO stays with long-polling where a WebSocket is ${upgrades}`, { upgrades }, async proxy => {
      const [ann, bob] = [await chat.open(), await chat.open('/?transport=socketio', { url: proxy.url })];
      await enter(bob, 'Bob', await create(ann, 'Ann'));
      await over(bob, 'Socket.IO');
      await waitFor(() => proxy.seen.upgrades > 0);
      await say(bob, 'by polling');
      await hear(ann, 'by polling');
      await say(ann, 'and back');
      await hear(bob, 'and back');
      assert.deepEqual(await messages(bob), ['by polling', 'and back']);
    });
  }

  behindProxy('a session that was on WebSocket goes on over SSE: nothing lost, nothing doubled, nobody told', {}, async proxy => {
    const [ann, bob] = [await chat.open(), await chat.open('/', { url: proxy.url })];
    await enter(bob, 'Bob', await create(ann, 'Ann'));
    await over(bob, 'WebSocket');
    await say(ann, 'one');
    await hear(bob, 'one');
    proxy.cut();
    await bob.getByText('No connection.').waitFor();
    await say(bob, 'two');
    await bob.getByLabel('Waiting to be sent').waitFor();
    await say(ann, 'three');
    await hear(ann, 'three');
    proxy.rules.upgrades = 'refused';
    proxy.mend();
    await hear(bob, 'two');
    await over(bob, 'SSE + POST');
    await hear(ann, 'two');
    for (const page of [ann, bob]) assert.deepEqual(await messages(page), ['one', 'three', 'two']);
    assert.deepEqual(await notices(ann), ['Bob joined']);
    assert.equal(await bob.locator('.gap').count(), 0);

    // It stays where it is, also when WebSocket would get through again.
    proxy.rules.upgrades = 'pass';
    const { upgrades } = proxy.seen;
    proxy.cut();
    await bob.getByText('No connection.').waitFor();
    proxy.mend();
    await over(bob, 'SSE + POST');
    await say(bob, 'four');
    await hear(ann, 'four');
    assert.equal(proxy.seen.upgrades, upgrades);
  });

  behindProxy('the next visit does not try in vain, a later one tries again', { upgrades: 'refused' }, async proxy => {
    const bob = await chat.open('/', { url: proxy.url });
    await over(bob, 'SSE + POST');
    const { upgrades } = proxy.seen;
    const code = await create(bob, 'Bob');
    await bob.reload();
    await inRoom(bob, code);
    await over(bob, 'SSE + POST');
    assert.equal(proxy.seen.upgrades, upgrades);
    await bob.evaluate(name => localStorage.setItem(name, String(Date.now() - 11 * 60_000)), MARK);
    proxy.rules.upgrades = 'pass';
    await bob.reload();
    await inRoom(bob, code);
    await over(bob, 'WebSocket');
    assert.equal(await mark(bob), null);
  });

  behindProxy('whoever chooses WebSocket sees it tried again', { upgrades: 'refused' }, async proxy => {
    const bob = await chat.open('/', { url: proxy.url });
    const code = await create(bob, 'Bob');
    await over(bob, 'SSE + POST');
    proxy.rules.upgrades = 'pass';
    await choose(bob, 'WebSocket');
    await over(bob, 'WebSocket');
    await inRoom(bob, code);
    assert.equal(await mark(bob), null);
  });

  behindProxy('where SSE does not get through either, WebSocket is asked again', { streams: 'refused' }, async proxy => {
    const bob = await chat.open('/?transport=ws', { url: proxy.url });
    await over(bob, 'WebSocket');
    await bob.evaluate(name => localStorage.setItem(name, String(Date.now())), MARK);
    await bob.goto(proxy.url);
    await over(bob, 'WebSocket');
    assert.equal(await mark(bob), null);
  });

  test('a server that is down is not taken for one behind such a proxy', async () => {
    const server = await startServer();
    const ann = await chat.open('/', { url: server.url });
    await over(ann, 'WebSocket');
    await server.stop();
    await ann.getByText('No connection.').waitFor();
    // Several attempts fail before it is back.
    for (let time = 0; time < 3; time += 1) {
      await ann.waitForFunction(() => document.querySelector('#connection').dataset.state === 'waiting');
      await ann.getByRole('button', { name: 'Try now' }).click();
    }
    await startServer({ port: server.port });
    await over(ann, 'WebSocket');
    assert.equal(await mark(ann), null);
  });
});
