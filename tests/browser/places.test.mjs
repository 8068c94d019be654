// Coming and going: Back, Escape and Undo, links that have died, names that rooms cannot have, and the place one was at.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connectClient, create, enter, EVERY_BROWSER, hear, inRoom, messages, notices, PHONE, say, tryToEnter, withBrowser } from './chat.mjs';
import { enterLab, message, serveScript, welcome } from './scripted.mjs';

const atHome = page => page.getByRole('button', { name: 'Create room' }).waitFor();

/** As the button does: a driver would wait for a page to load. */
const back = page => page.evaluate(() => history.back());

withBrowser('places', chat => {
  test('Back closes what stands above the room, and then leads to the room before', async () => {
    const ann = await chat.open('/', PHONE);
    const first = await create(ann, 'Ann', 'first');
    await ann.getByRole('button', { name: 'Rooms', exact: true }).click();
    await ann.getByRole('button', { name: 'New room' }).click();
    await atHome(ann);
    const second = await create(ann, 'Ann', 'second');
    await ann.getByRole('button', { name: 'Leave this room' }).waitFor();
    await ann.getByRole('button', { name: 'Set the topic' }).click();
    await ann.getByRole('dialog').waitFor();
    await back(ann);
    await ann.getByRole('dialog').waitFor({ state: 'hidden' });
    await ann.getByRole('button', { name: /^Members/ }).click();
    await ann.locator('#members.open').waitFor();
    await back(ann);
    await ann.locator('#members:not(.open)').waitFor({ state: 'attached' });
    assert.equal(await ann.locator('#room-code').textContent(), second);
    // What is closed otherwise leaves nothing behind.
    await ann.getByRole('button', { name: /^Members/ }).click();
    await ann.keyboard.press('Escape');
    await ann.waitForFunction(() => history.state?.layer === undefined);
    await back(ann);
    await atHome(ann);
    await back(ann);
    await inRoom(ann, first);
    assert.ok(ann.url().endsWith(`#${first}`));
    await ann.evaluate(() => history.forward());
    await ann.evaluate(() => history.forward());
    await inRoom(ann, second);
  });

  test('the form for another room is left by Escape, and by Cancel', async () => {
    const ann = await chat.open();
    await ann.waitForFunction(() => document.activeElement.id === 'nick');
    assert.equal(await ann.getByRole('button', { name: 'Cancel' }).count(), 0);
    const code = await create(ann, 'Ann');
    for (const leave of [() => ann.keyboard.press('Escape'), () => ann.getByRole('button', { name: 'Cancel' }).click()]) {
      await ann.getByRole('button', { name: 'New room' }).click();
      await atHome(ann);
      await leave();
      await inRoom(ann, code);
    }
  });

  test('whoever leaves may think better of it, and nobody is told', async () => {
    const [ann, bob] = [await chat.open(), await chat.open()];
    const code = await create(ann, 'Ann');
    await enter(bob, 'Bob', code);
    await bob.getByRole('button', { name: 'Leave this room' }).click();
    await atHome(bob);
    await bob.getByRole('button', { name: 'Undo' }).click();
    await inRoom(bob, code);
    await say(bob, 'still here');
    await hear(ann, 'still here');
    assert.deepEqual(await notices(ann), ['Bob joined']);
  });

  test('a page that goes takes along whoever is about to leave', async t => {
    // Firefox closes the line before what a page says as it goes: others are told once the grace has run out.
    if (chat.browserName === 'Firefox') return t.skip('Firefox says nothing for a page that goes');
    const [ann, bob] = [await chat.open(), await chat.open()];
    await enter(bob, 'Bob', await create(ann, 'Ann'));
    await bob.getByRole('button', { name: 'Leave this room' }).click();
    await atHome(bob);
    await bob.goto('about:blank');
    await ann.locator('.notice', { hasText: 'Bob left' }).waitFor();
  });

  test('a link that has died makes the room that it leads to', async () => {
    const ann = await chat.open('/#once-there');
    await ann.getByText('You are invited to the room ONCE-THERE').waitFor();
    await ann.getByLabel('Your name', { exact: true }).fill('Ann');
    await ann.getByRole('button', { name: 'Join' }).click();
    await ann.getByText('There is no room with this code.').waitFor();
    await ann.getByRole('button', { name: 'Create ONCE-THERE' }).click();
    await inRoom(ann, 'ONCE-THERE');
  });

  test('a name with spaces and umlauts becomes one that a room can have', async () => {
    const [ann, bob] = [await chat.open(), await chat.open()];
    await ann.getByLabel('Your name', { exact: true }).fill('Ann');
    await ann.getByLabel('Room name').fill('Große Küche 2');
    await ann.getByText('The room is called GROSSE-KUCHE-2').waitFor();
    await ann.getByRole('button', { name: 'Create room' }).click();
    await inRoom(ann, 'GROSSE-KUCHE-2');
    await tryToEnter(bob, 'Bob', 'große küche 2');
    await inRoom(bob, 'GROSSE-KUCHE-2');
    const cid = await chat.open();
    await cid.getByLabel('Your name', { exact: true }).fill('Cid');
    await cid.getByLabel('Room name').fill('キッチン');
    await cid.getByRole('button', { name: 'Create room' }).click();
    await cid.getByText('A room is called by 3 to 32 of A to Z, 0 to 9 and hyphens.').waitFor();
  });

  test('what one was reading is there again after a reload, also where that was long ago', async () => {
    const ann = await chat.open();
    const room = await create(ann, 'Ann');
    const bot = await connectClient(chat.server.url);
    await bot.request({ type: 'join', room, nick: 'Bot' });
    for (let number = 1; number <= 160; number += 1) await bot.request({ type: 'send', room, text: `line ${number}` });
    await hear(ann, 'line 160');
    const topOf = text => ann.getByText(text, { exact: true }).evaluate(node =>
      node.getBoundingClientRect().top - document.getElementById('log').getBoundingClientRect().top);
    await ann.getByText('line 40', { exact: true }).evaluate(node => node.scrollIntoView({ block: 'start' }));
    await ann.locator('#jump').waitFor();
    const stood = await topOf('line 40');
    await ann.reload();
    await hear(ann, 'line 40');
    await ann.waitForFunction(() => document.getElementById('log').ariaBusy !== 'true');
    const moved = await topOf('line 40') - stood;
    assert.ok(Math.abs(moved) <= 2, `moved by ${moved} px`);
    await ann.locator('#jump').waitFor();
    bot.close();
  });

  test('a tab that is closed, and another one soon after, is one and the same person', async () => {
    const [ann, bob] = [await chat.open(), await chat.open()];
    const code = await create(ann, 'Ann');
    await enter(bob, 'Bob', code);
    await say(bob, 'back soon');
    await hear(ann, 'back soon');
    const context = bob.context();
    // Another tab of the same browser is another person while this one is there.
    const other = await chat.open('/', { context });
    await other.waitForFunction(() => document.querySelector('#connection').dataset.state === 'open');
    assert.equal(await other.locator('#room').isHidden(), true);
    await other.close();
    await bob.goto('about:blank');
    await bob.close();
    const again = await chat.open(`/#${code}`, { context });
    await inRoom(again, code);
    await say(again, 'here');
    await hear(ann, 'here');
    assert.deepEqual(await ann.locator('.message:not(.mine) .nick').allTextContents(), ['Bob', 'Bob']);
    assert.deepEqual(await notices(ann), ['Bob joined']);
  });

  test('a room that is made again keeps what was said in it on screen', async () => {
    const [ann, bob] = [await chat.open(), await connectClient(chat.server.url)];
    const { room } = await bob.request({ type: 'create', nick: 'Bob', room: 'again' });
    await enter(ann, 'Ann', room);
    await say(ann, 'before');
    await hear(ann, 'before');
    await bob.request({ type: 'kick', room, member: 2 });
    await ann.getByRole('button', { name: 'Rejoin' }).waitFor();
    await bob.request({ type: 'leave', room });
    await ann.getByRole('button', { name: 'Rejoin' }).click();
    await ann.getByRole('button', { name: 'Create it again' }).click();
    await inRoom(ann, room);
    await ann.getByText('Made again').waitFor();
    await say(ann, 'after');
    await hear(ann, 'after');
    assert.deepEqual(await messages(ann), ['before', 'after']);
    bob.close();
  });
}, { browsers: EVERY_BROWSER });

withBrowser('places by script', chat => {
  test('a name of somebody who is away may be one\'s own', async () => {
    const bob = await chat.open();
    const line = await chat.server.connection();
    await line.next('hello');
    line.send(welcome());
    await tryToEnter(bob, 'Bob', 'lab');
    const { id } = await line.next('join');
    line.send({ type: 'error', id, room: 'LAB', code: 'nick_taken', message: 'taken', retry_after_ms: 29_400 });
    await bob.getByText('That may be you, still leaving: try again in 30 seconds').waitFor();
  });

  test('that there is no network is said at once, and no longer than that holds', async () => {
    const { bob, line } = await enterLab(chat, { history: [message(9, 'nine')] });
    await bob.evaluate(() => dispatchEvent(new Event('offline')));
    await bob.getByText('This device is offline.').waitFor();
    line.send(message(11, 'it is there'));
    await hear(bob, 'it is there');
    await bob.getByText('This device is offline.').waitFor({ state: 'hidden' });
  });

  test('on glass the key for a new line makes one, and the button sends', async () => {
    const { bob, line } = await enterLab(chat, {}, PHONE);
    const field = bob.getByLabel('Message', { exact: true });
    await field.pressSequentially('one');
    await field.press('Enter');
    await field.pressSequentially('two');
    assert.equal(await field.getAttribute('enterkeyhint'), 'enter');
    await bob.getByRole('button', { name: 'Send', exact: true }).click();
    assert.equal((await line.next('send')).text, 'one\ntwo');
  });
}, { serve: serveScript });
