// People in rooms: they meet, talk, leave, and see what the others do.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  chooseFor, connectClient, create, enter, hear, inRoom, messages, notice, notices, say, startServer, tryToEnter, withBrowser,
} from './chat.mjs';

withBrowser('talk', chat => {
  test('two pages talk both ways and see when', async () => {
    const [ann, bob] = [await chat.open(), await chat.open()];
    const code = await create(ann, 'Ann');
    assert.match(code, /^[A-Z]{8}$/);
    await enter(bob, 'Bob', code);
    await notice(ann, 'Bob joined');
    await say(ann, 'Hello Bob');
    await hear(bob, 'Hello Bob');
    await say(bob, 'Hello Ann');
    await hear(ann, 'Hello Ann');
    for (const page of [ann, bob]) {
      assert.deepEqual(await messages(page), ['Hello Bob', 'Hello Ann']);
      const times = await page.locator('.message time').all();
      for (const time of times) {
        assert.match(await time.textContent(), /^\d\d:\d\d$/);
        const age = Date.now() - Date.parse(await time.getAttribute('datetime'));
        assert.ok(Math.abs(age) < 60_000, `${age} ms old`);
      }
      assert.equal(times.length, 2);
      assert.equal(await page.locator('.day').textContent(), 'Today');
    }
    assert.equal(await bob.locator('.message:not(.mine) .nick').textContent(), 'Ann');
    assert.equal(await ann.locator('.notice time').count(), 1);
  });

  test('a joiner sees earlier messages but no earlier joins', async () => {
    const [ann, bob, cid] = [await chat.open(), await chat.open(), await chat.open()];
    const code = await create(ann, 'Ann');
    await enter(bob, 'Bob', code);
    await say(bob, 'I was here');
    await hear(ann, 'I was here');
    await bob.getByRole('button', { name: 'Leave this room' }).click();
    await notice(ann, 'Bob left');
    await enter(cid, 'Cid', code);
    await hear(cid, 'I was here');
    assert.deepEqual(await notices(cid), []);
    assert.equal(await cid.locator('.member').count(), 2);
  });

  test('leaving is told, and the one who left is back at the form', async () => {
    const [ann, bob] = [await chat.open(), await chat.open()];
    const code = await create(ann, 'Ann', 'way-out');
    await enter(bob, 'Bob', code);
    await bob.getByRole('button', { name: 'Leave this room' }).click();
    await notice(ann, 'Bob left');
    await ann.waitForFunction(() => document.querySelectorAll('.member').length === 1);
    await bob.getByRole('button', { name: 'Create room' }).waitFor();
    assert.equal(await bob.getByLabel('Your name', { exact: true }).inputValue(), 'Bob');
  });

  test('the last one is asked before the room goes too', async () => {
    const ann = await chat.open();
    await create(ann, 'Ann');
    await say(ann, 'a monologue');
    await hear(ann, 'a monologue');
    await ann.getByRole('button', { name: 'Leave this room' }).click();
    await ann.getByRole('button', { name: 'Cancel' }).click();
    await say(ann, 'and its end');
    await hear(ann, 'and its end');
    await ann.getByRole('button', { name: 'Leave this room' }).click();
    await ann.getByRole('dialog').getByRole('button', { name: 'Leave' }).click();
    await ann.getByRole('button', { name: 'Create room' }).waitFor();
  });

  test('a share link fills in the code, and both can be copied', async () => {
    const ann = await chat.open('/', { permissions: ['clipboard-read', 'clipboard-write'] });
    const copied = () => ann.evaluate(() => navigator.clipboard.readText());
    const code = await create(ann, 'Ann');
    await ann.getByRole('button', { name: 'Copy room code' }).click();
    await ann.getByText('Code copied').waitFor();
    assert.equal(await copied(), code);
    await ann.getByRole('button', { name: 'Copy link to this room' }).click();
    await ann.getByText('Link copied').waitFor();
    const link = await copied();
    assert.equal(link, `${chat.server.url}/#${code}`);
    const bob = await chat.open(link.slice(chat.server.url.length));
    assert.equal(await bob.getByLabel('Room code', { exact: true }).inputValue(), code);
    await bob.getByLabel('Your name', { exact: true }).fill('Bob');
    await bob.getByLabel('Your name', { exact: true }).press('Enter');
    await inRoom(bob, code);
  });

  test('typing is shown until the message is there', async () => {
    const [ann, bob] = [await chat.open(), await chat.open()];
    await enter(bob, 'Bob', await create(ann, 'Ann'));
    await bob.getByLabel('Message', { exact: true }).pressSequentially('I am wri');
    await ann.getByText('Bob is typing').waitFor();
    assert.equal(await bob.locator('#typing').textContent(), '', 'nobody is told about themselves');
    await bob.getByLabel('Message', { exact: true }).press('Enter');
    await hear(ann, 'I am wri');
    await ann.waitForFunction(() => document.querySelector('#typing').textContent === '');
  });

  test('Shift+Enter makes a line, Enter sends', async () => {
    const ann = await chat.open();
    await create(ann, 'Ann');
    const field = ann.getByLabel('Message', { exact: true });
    await field.pressSequentially('one');
    await field.press('Shift+Enter');
    await field.pressSequentially('two');
    await field.press('Enter');
    await hear(ann, 'one\ntwo');
    assert.equal(await field.inputValue(), '');
  });

  test('more than the server takes at once goes out in time, and in order', async () => {
    const server = await startServer({ flags: ['--send-rate', '10'] });
    const ann = await chat.open('/', { url: server.url });
    await create(ann, 'Ann');
    const wanted = Array.from({ length: 25 }, (_, index) => `line ${index + 1}`);
    for (const text of wanted) await say(ann, text);
    await hear(ann, 'line 25');
    assert.deepEqual(await messages(ann), wanted);
  });

  test('a field that grows with its text leaves the log at its end', async () => {
    const ann = await chat.open();
    await create(ann, 'Ann');
    for (let number = 1; number <= 20; number += 1) await say(ann, `line ${number}`);
    await hear(ann, 'line 20');
    await ann.getByLabel('Message', { exact: true }).fill('a\nb\nc\nd\ne');
    await ann.waitForFunction(() => document.getElementById('text').clientHeight > 100);
    await say(ann, 'the end');
    await hear(ann, 'the end');
    assert.equal(await ann.locator('#jump').isHidden(), true);
    await ann.waitForFunction(() => {
      const log = document.getElementById('log');
      return log.scrollHeight - log.scrollTop - log.clientHeight <= 1;
    });
  });

  test('each of several rooms has its own messages, draft and unread count', async () => {
    const [ann, bob] = [await chat.open(), await chat.open()];
    const first = await create(ann, 'Ann', 'first');
    await enter(bob, 'Bob', first);
    await ann.getByLabel('Message', { exact: true }).fill('half a thought');
    await ann.getByRole('button', { name: 'New room' }).click();
    await create(ann, 'Ann', 'second');
    await say(bob, 'one');
    await say(bob, 'two');
    await ann.getByRole('button', { name: /^FIRST.*2 unread$/ }).waitFor();
    assert.match(await ann.title(), /^\(2\) SECOND/);
    assert.deepEqual(await messages(ann), []);
    await ann.getByRole('button', { name: 'FIRST' }).click();
    await hear(ann, 'two');
    assert.equal(await ann.getByLabel('Message', { exact: true }).inputValue(), 'half a thought');
    assert.equal(await ann.locator('.new + .message .text').textContent(), 'one', 'what is new is marked');
    await ann.waitForFunction(() => document.title.startsWith('FIRST'));
  });

  test('a message can be taken back', async () => {
    const [ann, bob] = [await chat.open(), await chat.open()];
    await enter(bob, 'Bob', await create(ann, 'Ann'));
    await say(bob, 'Oh no');
    await hear(ann, 'Oh no');
    await hear(bob, 'Oh no');
    await chooseFor(bob, 'Oh no', 'Remove this message');
    await bob.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
    await hear(ann, 'This message was removed');
    await hear(bob, 'This message was removed');
    await bob.locator('.message').press('Enter');
    assert.equal(await bob.getByRole('menuitem').count(), 0);
  });

  test('the owner is marked, sets the topic, and may remove somebody', async () => {
    const [ann, bob] = [await chat.open(), await chat.open()];
    await enter(bob, 'Bob', await create(ann, 'Ann'));
    assert.equal(await bob.locator('.member', { has: bob.getByLabel('owner') }).locator('.name').textContent(), 'Ann');
    assert.equal(await bob.getByRole('button', { name: 'Set the topic' }).count(), 0);
    await ann.getByRole('button', { name: 'Set the topic' }).click();
    await ann.getByLabel('What is it about?').fill('Lunch');
    await ann.getByLabel('What is it about?').press('Enter');
    await notice(bob, 'Ann set the topic: Lunch');
    assert.equal(await bob.locator('#topic').textContent(), 'Lunch');
    await ann.getByRole('button', { name: 'Remove Bob' }).click();
    await ann.getByRole('dialog').getByRole('button', { name: 'Remove', exact: true }).click();
    await bob.getByRole('heading', { name: 'Ann removed you' }).waitFor();
    await notice(ann, 'You removed Bob');
    await bob.getByRole('button', { name: 'Rejoin' }).click();
    await notice(ann, 'Bob joined', 2);
    await say(bob, 'Sorry');
    await hear(ann, 'Sorry');
  });

  test('whoever is banned is told by whom and until when, and gets in again once that is lifted', async () => {
    const [ann, bob] = [await connectClient(chat.server.url), await chat.open()];
    const { room } = await ann.request({ type: 'create', nick: 'Ann' });
    await enter(bob, 'Bob', room);
    await ann.request({ type: 'ban', room, member: 2, minutes: 60 });
    await bob.getByRole('heading', { name: 'You may not come back' }).waitFor();
    assert.match(await bob.locator('#ended-text').textContent(), /^Ann banned you until .*\d\d:\d\d$/);
    await bob.reload();
    await bob.locator('#ended-text', { hasText: /^Ann banned you until/ }).waitFor();
    await bob.getByRole('button', { name: 'Try again' }).click();
    await bob.locator('#ended-text', { hasText: /^You may not enter this room until/ }).waitFor();
    const { bans: [{ ban }] } = await ann.request({ type: 'bans', room });
    await ann.request({ type: 'unban', room, ban });
    await bob.getByRole('button', { name: 'Try again' }).click();
    await inRoom(bob, room);
    await say(bob, 'Sorry');
    await hear(bob, 'Sorry');
    ann.close();
  });

  test('what is hostile is shown as typed', async () => {
    const [ann, bob] = [await chat.open(), await chat.open()];
    const hostile = '<img src=x onerror=alert(1)>';
    await enter(bob, '<b>Bob</b>', await create(ann, 'Ann'));
    await say(bob, hostile);
    await say(bob, 'javascript:alert(1) https://example.org/?q="<script>alert(1)</script>');
    await hear(ann, hostile);
    await ann.waitForFunction(() => document.querySelectorAll('.message').length === 2);
    for (const page of [ann, bob]) {
      assert.equal((await messages(page))[0], hostile);
      assert.equal(await page.locator('#app img, #app script, #app b').count(), 0);
      const link = page.locator('.text a');
      assert.equal(await link.getAttribute('href'), 'https://example.org/?q=');
      assert.equal(await link.getAttribute('rel'), 'noopener noreferrer');
    }
    assert.equal(await ann.locator('.message .nick').first().textContent(), '<b>Bob</b>');
  });

  test('refusals are told in words, at the field they are about', async () => {
    const [ann, bob] = [await chat.open(), await chat.open()];
    await create(ann, 'Ann', 'taken');
    await tryToEnter(bob, 'Bob', 'NOBODYHERE');
    await bob.getByText('There is no room with this code').waitFor();
    assert.equal(await bob.getByLabel('Room code', { exact: true }).getAttribute('aria-invalid'), 'true');
    await tryToEnter(bob, 'ann', 'TAKEN');
    await bob.getByText('Somebody in the room has this name').waitFor();
    assert.equal(await bob.evaluate(() => document.activeElement.id), 'nick');
    await bob.getByLabel('Room name').fill('Taken');
    await bob.getByRole('button', { name: 'Create room' }).click();
    await bob.getByText('A room of this name exists already').waitFor();
    await tryToEnter(bob, '', 'TAKEN');
    await bob.getByText('Say first who you are').waitFor();
    await tryToEnter(bob, 'B'.repeat(40), 'TAKEN');
    await bob.getByText('A name has at most 32 characters.').waitFor();
  });

  test('earlier messages come on scrolling up, and what is being read stays in place', async () => {
    const [ann, bob] = [await connectClient(chat.server.url), await chat.open()];
    const { room } = await ann.request({ type: 'create', nick: 'Ann' });
    for (let number = 1; number <= 120; number += 1) {
      assert.equal((await ann.request({ type: 'send', room, text: `line ${number}` })).type, 'ack');
    }
    await enter(bob, 'Bob', room);
    await hear(bob, 'line 120');
    assert.equal((await messages(bob)).length, 50);
    // From just above the bound at which a page is asked for, to just below it.
    const moved = await bob.evaluate(async () => {
      const log = document.getElementById('log');
      const texts = [...document.querySelectorAll('.message .text')];
      const above = text => texts.find(node => node.textContent === text).getBoundingClientRect().top;
      log.scrollTop = 120;
      const first = above('line 75');
      const rows = document.getElementById('rows');
      await new Promise(grown => new MutationObserver(grown).observe(rows, { childList: true }));
      await new Promise(requestAnimationFrame);
      return above('line 75') - first;
    });
    assert.ok(Math.abs(moved) <= 1, `moved by ${moved} px`);
    const read = async text => {
      await bob.locator('#log').evaluate(log => { log.scrollTop = 0; });
      return (await messages(bob)).includes(text);
    };
    while (!await read('line 1')) await bob.locator('#log[aria-busy=false]').waitFor();
    const wanted = Array.from({ length: 120 }, (_, index) => `line ${index + 1}`);
    await bob.waitForFunction(() => document.querySelectorAll('.message').length === 120);
    assert.deepEqual(await messages(bob), wanted);
    await ann.request({ type: 'send', room, text: 'the newest' });
    await bob.getByRole('button', { name: '1 new message' }).click();
    await bob.waitForFunction(() => document.getElementById('jump').hidden);
    assert.equal((await messages(bob)).at(-1), 'the newest');
    ann.close();
  });
});
