// Coming back: after a reload, in a copied tab, after a cut line, and after the server itself was gone.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  connectClient, create, enter, EVERY_BROWSER, hear, inRoom, messages, notices, PATIENCE_MS, say, startServer, withBrowser,
} from './chat.mjs';
import { startProxy } from './proxy.mjs';

withBrowser('return', chat => {
  test('a reload resumes, and nobody is told', async () => {
    const [ann, bob] = [await chat.open(), await chat.open()];
    const code = await create(ann, 'Ann');
    await enter(bob, 'Bob', code);
    await say(ann, 'before');
    await hear(bob, 'before');
    await bob.getByLabel('Message', { exact: true }).fill('not yet sent');
    await bob.reload();
    await inRoom(bob, code);
    await hear(bob, 'before');
    assert.equal(await bob.getByLabel('Message', { exact: true }).inputValue(), 'not yet sent');
    await say(bob, 'after');
    await hear(ann, 'after');
    assert.deepEqual(await notices(ann), ['Bob joined']);
    assert.deepEqual(await notices(bob), []);
    assert.deepEqual(await messages(bob), ['before', 'after']);
    assert.equal(await bob.locator('.message.mine').count(), 1);
  });

  test('a copied tab takes over, and the first one says so and stays quiet', async () => {
    const [ann, bob] = [await chat.open(), await chat.open()];
    const code = await create(ann, 'Ann');
    await enter(bob, 'Bob', code);
    const saved = await bob.waitForFunction(() => sessionStorage.getItem('chat.client'));
    const copied = await chat.open(`/#${code}`, { context: bob.context(), session: await saved.jsonValue() });
    await inRoom(copied, code);
    await bob.getByRole('heading', { name: 'This chat continues in another tab' }).waitFor();
    assert.equal(await bob.evaluate(() => sessionStorage.getItem('chat.client')), null);
    await say(copied, 'from the copy');
    await hear(ann, 'from the copy');
    assert.deepEqual(await notices(ann), ['Bob joined']);
    await bob.getByRole('button', { name: 'Use here' }).click();
    await enter(bob, 'Bob two', code);
    await hear(bob, 'from the copy');
    await say(copied, 'still here');
    await hear(bob, 'still here');
  });

  test('over a cut line nothing is lost and nothing is said twice', async () => {
    const proxy = await startProxy(chat.server.port);
    const [ann, bob] = [await chat.open(), await chat.open('/', { url: proxy.url })];
    await enter(bob, 'Bob', await create(ann, 'Ann'));
    await say(ann, 'one');
    await hear(bob, 'one');
    proxy.cut();
    await bob.getByText('No connection.').waitFor();
    await say(ann, 'two, while Bob is away');
    await say(bob, 'three, typed while away');
    await say(bob, 'four, too');
    await hear(ann, 'two, while Bob is away');
    await bob.locator('.message.pending').nth(1).waitFor();
    assert.equal(await bob.getByLabel('Waiting to be sent').count(), 2);
    proxy.mend();
    await hear(bob, 'four, too');
    await hear(ann, 'four, too');
    const all = ['one', 'two, while Bob is away', 'three, typed while away', 'four, too'];
    assert.deepEqual(await messages(bob), all);
    assert.deepEqual(await messages(ann), all);
    assert.deepEqual(await notices(ann), ['Bob joined']);
    await bob.getByText('No connection.').waitFor({ state: 'hidden' });
  });

  test('after a restart without a log the page says that the room is gone, and keeps what was written', async () => {
    const server = await startServer();
    const ann = await chat.open('/', { url: server.url });
    const code = await create(ann, 'Ann');
    await say(ann, 'hello');
    await hear(ann, 'hello');
    await server.stop();
    await ann.getByText('No connection.').waitFor();
    await say(ann, 'typed while it was down');
    await ann.getByLabel('Waiting to be sent').waitFor();
    await startServer({ port: server.port });
    await ann.getByRole('heading', { name: 'This room no longer exists' }).waitFor({ timeout: 2 * PATIENCE_MS });
    assert.deepEqual(await messages(ann), ['hello', 'typed while it was down']);
    assert.equal(await ann.getByLabel('Not sent').count(), 1);
    await ann.getByRole('button', { name: 'Create it again' }).click();
    await ann.getByRole('button', { name: 'Send again' }).click();
    await hear(ann, 'typed while it was down');
    assert.equal(await ann.locator('#room-code').textContent(), code);
    // What was said before stays to be read.
    assert.deepEqual(await messages(ann), ['hello', 'typed while it was down']);
  });

  test('what was asked for while the server is away is done when it is back', async () => {
    const server = await startServer();
    const ann = await chat.open('/', { url: server.url });
    await server.stop();
    await ann.getByText('No connection.').waitFor();
    await ann.getByLabel('Your name', { exact: true }).fill('Ann');
    await ann.getByLabel('Room name').fill('patience');
    await ann.getByRole('button', { name: 'Create room' }).click();
    await ann.getByRole('button', { name: 'Waiting…' }).waitFor();
    await startServer({ port: server.port });
    await inRoom(ann, 'PATIENCE');
  });
});

withBrowser('a new room under an old code', chat => {
  /**
   * Ann's page in a room that a stranger has made anew after a restart without a log; while it was away she wrote `written`,
   * and left `draft` in the field.
   */
  async function inRoomOfAStranger(written, draft) {
    const server = await startServer();
    const proxy = await startProxy(server.port);
    const ann = await chat.open('/', { url: proxy.url });
    await create(ann, 'Ann', 'lunch');
    await say(ann, 'hello');
    await hear(ann, 'hello');
    proxy.cut();
    await ann.getByText('No connection.').waitFor();
    for (const text of written) await say(ann, text);
    await ann.waitForFunction(count => document.querySelectorAll('.message.pending').length === count, written.length);
    await ann.getByLabel('Message', { exact: true }).fill(draft);
    await server.stop();
    const again = await startServer({ port: server.port });
    const stranger = await connectClient(again.url);
    assert.equal((await stranger.request({ type: 'create', room: 'LUNCH', nick: 'Mallory' })).type, 'joined');
    proxy.mend();
    await ann.getByRole('heading', { name: 'This is a new room' }).waitFor({ timeout: 2 * PATIENCE_MS });
    return {
      ann,
      /** All that was said in the room. */
      async said() {
        const { messages: all } = await stranger.request({ type: 'history', room: 'LUNCH' });
        return all.map(({ nick, text }) => `${nick}: ${text}`);
      },
    };
  }

  test('nothing that was written for the old room is sent, until it is sent again', async () => {
    const { ann, said } = await inRoomOfAStranger(['a secret', 'another'], 'half a sec');
    assert.deepEqual(await messages(ann), ['a secret', 'another']);
    assert.equal(await ann.getByLabel('Not sent').count(), 2);
    assert.equal(await ann.getByLabel('Message', { exact: true }).isVisible(), false);
    for (const button of await ann.getByRole('button', { name: 'Send again' }).all()) assert.equal(await button.isDisabled(), true);
    assert.deepEqual(await ann.locator('.member .name').allTextContents(), ['Ann', 'Mallory']);

    await ann.getByRole('button', { name: 'Stay here' }).click();
    const field = ann.getByLabel('Message', { exact: true });
    assert.equal(await field.inputValue(), 'half a sec');
    await say(ann, 'who are you?');
    await hear(ann, 'who are you?');
    assert.deepEqual(await said(), ['Ann: who are you?']);

    await ann.getByRole('button', { name: 'Discard' }).last().click();
    // The page draws with the next frame.
    await ann.getByRole('button', { name: 'Send again' }).nth(1).waitFor({ state: 'detached' });
    await ann.getByRole('button', { name: 'Send again' }).click();
    await hear(ann, 'a secret');
    assert.deepEqual(await said(), ['Ann: who are you?', 'Ann: a secret']);
  });

  test('whoever does not want to stay leaves, and has told nothing', async () => {
    const { ann, said } = await inRoomOfAStranger(['a secret'], '');
    await ann.getByRole('button', { name: 'Leave', exact: true }).click();
    await ann.getByRole('button', { name: 'Create room' }).waitFor();
    assert.deepEqual(await said(), []);
  });

  test('the question outlives a reload, and nothing is sent by that', async () => {
    const { ann, said } = await inRoomOfAStranger(['a secret'], 'half a sec');
    await ann.reload();
    await ann.getByRole('heading', { name: 'This is a new room' }).waitFor();
    await inRoom(ann, 'LUNCH');
    await ann.getByRole('button', { name: 'Stay here' }).click();
    assert.equal(await ann.getByLabel('Message', { exact: true }).inputValue(), 'half a sec');
    await say(ann, 'hello?');
    await hear(ann, 'hello?');
    assert.deepEqual(await said(), ['Ann: hello?']);
  });
}, { browsers: EVERY_BROWSER });
