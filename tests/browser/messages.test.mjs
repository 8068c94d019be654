// What may be done with a message, and how what is in it looks: one menu, answers, changes, reactions, code, links, names.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chooseFor, EVERY_BROWSER, hear, PHONE, withBrowser } from './chat.mjs';
import { ANN, BOB, at, edited, enterLab, message, reacted, serveScript, settings } from './scripted.mjs';

const features = ['edit', 'react', 'settings', 'role'];
const CID = { member: 3, nick: 'Cid', color: 5, role: 'member', online: true };

withBrowser('messages', chat => {
  const inLab = (told, options) => enterLab(chat, { features, ...told }, options);
  const field = page => page.getByLabel('Message', { exact: true });
  const focused = page => page.evaluate(() => {
    const { activeElement } = document;
    return activeElement.matches('.message') ? activeElement.querySelector('.text').textContent : activeElement.id;
  });

  test('the log is one stop, and arrow keys lead from message to message', async () => {
    const told = [message(7, 'see https://example.org/seven'), message(8, 'eight', BOB), message(9, 'nine')];
    const { bob } = await inLab({ history: told });
    await field(bob).focus();
    await bob.keyboard.press('Shift+Tab');
    assert.equal(await focused(bob), 'log');
    for (const [key, text] of [['ArrowUp', 'nine'], ['ArrowUp', 'eight'], ['ArrowUp', 'see https://example.org/seven'], ['End', 'nine'], ['Home', told[0].text]]) {
      await bob.keyboard.press(key);
      assert.equal(await focused(bob), text);
    }
    await bob.keyboard.press('Tab');
    assert.equal(await bob.evaluate(() => document.activeElement.href), 'https://example.org/seven');
    await bob.keyboard.press('Shift+Tab');
    await bob.keyboard.press('Escape');
    assert.equal(await focused(bob), 'text');
  });

  test('the menu is used by keyboard, and gives the focus back', async () => {
    const { bob, line } = await inLab({ history: [message(9, 'nine', BOB)] });
    await bob.locator('.message').press('Enter');
    const items = bob.getByRole('menuitem');
    assert.deepEqual(await items.allTextContents(), ['👍', '❤️', '😂', '🎉', 'Reply', 'Copy text', 'Edit', 'Remove this message']);
    await bob.keyboard.press('ArrowUp');
    assert.equal(await bob.evaluate(() => document.activeElement.textContent), 'Remove this message');
    await bob.keyboard.press('Escape');
    await bob.getByRole('menu').waitFor({ state: 'hidden' });
    assert.equal(await focused(bob), 'nine');
    await bob.keyboard.press('Enter');
    await bob.keyboard.press('Enter');
    assert.deepEqual(await line.next('react').then(({ target, name, on }) => [target, name, on]), [9, '👍', true]);
  });

  test('the button beside a message opens its menu; Back closes it', async () => {
    const { bob } = await inLab({ history: [message(9, 'nine')] });
    await bob.locator('.message').hover();
    await bob.getByRole('button', { name: 'Act on this message' }).click();
    assert.deepEqual((await bob.getByRole('menuitem').allTextContents()).slice(4), ['Reply', 'Copy text']);
    await bob.goBack();
    await bob.getByRole('menu').waitFor({ state: 'hidden' });
  });

  test('an answer says what it answers, while it is written and after that', async () => {
    const { bob, line } = await inLab({ history: [message(9, 'nine')] });
    await chooseFor(bob, 'nine', 'Reply');
    assert.equal(await bob.locator('#about-words').textContent(), 'Answer to Ann: nine');
    await field(bob).fill('yes');
    await field(bob).press('Enter');
    const { id, reply_to: target, key, text } = await line.next('send');
    assert.deepEqual([target, text], [9, 'yes']);
    assert.equal(await bob.locator('.pending .reply').textContent(), 'Ann: nine');
    line.send({ type: 'ack', id, room: 'LAB', seq: 11, at: at(11) }, { ...message(11, 'yes', BOB, key), reply_to: 9 });
    await hear(bob, 'yes');
    assert.equal(await bob.locator('.mine .reply').textContent(), 'Ann: nine');
    assert.equal(await bob.locator('#about').isHidden(), true);
    await chooseFor(bob, 'nine', 'Reply');
    await bob.keyboard.press('Escape');
    await field(bob).fill('no');
    await field(bob).press('Enter');
    assert.equal((await line.next('send')).reply_to, undefined);
  });

  test('the arrow key up changes what one said last, and what one was writing is not lost', async () => {
    const { bob, line } = await inLab({ history: [message(8, 'eihgt', BOB), message(9, 'nine')] });
    await field(bob).press('ArrowUp');
    assert.equal(await field(bob).inputValue(), 'eihgt');
    await field(bob).fill('eight');
    await field(bob).press('Enter');
    assert.deepEqual(await line.next('edit').then(({ target, text }) => [target, text]), [8, 'eight']);
    // Others do not see one go on typing.
    await bob.waitForFunction(() => document.getElementById('text').value === '');
    assert.deepEqual(line.seen.filter(({ type }) => type === 'typing').map(({ on }) => on), [true, false]);
    line.send(edited(11, 8, 'eight', 1));
    await hear(bob, 'eight');
    assert.equal(await field(bob).inputValue(), '');
    await field(bob).fill('half a thought');
    await chooseFor(bob, 'eight', 'Edit');
    assert.equal(await field(bob).inputValue(), 'eight');
    await field(bob).press('Escape');
    assert.equal(await field(bob).inputValue(), 'half a thought');
  });

  test('reactions are counted below the message, and joined by a press', async () => {
    const { bob, line } = await inLab({ history: [message(9, 'nine')] });
    line.send(reacted(11, 9, '👍', 1, true, 1));
    const thumb = bob.getByRole('button', { name: '👍 1' });
    await thumb.waitFor();
    assert.equal(await thumb.getAttribute('title'), 'Ann');
    await thumb.click();
    assert.deepEqual(await line.next('react').then(({ name, on }) => [name, on]), ['👍', true]);
    line.send(reacted(12, 9, '👍', 2, true, 2));
    const both = bob.getByRole('button', { name: '👍 2' });
    await both.waitFor();
    assert.equal(await both.getAttribute('aria-pressed'), 'true');
  });

  test('code stands as code, and an address without a scheme is a link', async () => {
    const { bob, line } = await inLab();
    line.send(message(11, 'run `ls -a` at www.example.org/x.'), message(12, '```\nlet a = 1;\nlet b;\n```'), message(13, 'a@www.example.org is none'));
    await bob.locator('.message').nth(2).waitFor();
    assert.deepEqual(await bob.locator('.text code').allTextContents(), ['ls -a', 'let a = 1;\nlet b;']);
    assert.deepEqual(await bob.locator('.text a').evaluateAll(all => all.map(link => [link.getAttribute('href'), link.textContent])),
      [['https://www.example.org/x', 'www.example.org/x']]);
  });

  test('whoever is called by name sees which message does so', async () => {
    const { bob, line } = await inLab();
    line.send(message(11, 'bob, are you there?'), message(12, 'bobsled'), message(13, 'I am bob', BOB));
    await hear(bob, 'I am bob');
    assert.deepEqual(await bob.locator('.names .text').allTextContents(), ['bob, are you there?']);
  });

  test('many who come and go are told in one line, that opens', async () => {
    const { bob, line } = await inLab();
    const join = (seq, member) => ({ type: 'member_joined', room: 'LAB', seq, at: at(seq), member, nick: `N${member}`, color: 1, role: 'member' });
    const leave = (seq, member) => ({ type: 'member_left', room: 'LAB', seq, at: at(seq), member, nick: `N${member}`, reason: 'left' });
    line.send(join(11, 5), join(12, 6), leave(13, 5));
    await bob.getByText('N5 left').waitFor();
    line.send(join(14, 7), leave(15, 6));
    const line1 = bob.getByText('3 people joined, 2 left');
    await line1.waitFor();
    assert.equal(await bob.locator('#rows > * > .notice').count(), 1);
    await line1.click();
    await bob.getByText('N7 joined').waitFor();
    line.send(message(16, 'and on'), join(17, 8));
    await bob.getByText('N8 joined').waitFor();
    assert.equal(await bob.locator('#rows > * > .notice').count(), 2);
  });

  test('what is copied of several messages says who and when', async () => {
    const { bob } = await inLab({ history: [message(8, 'eight', CID), message(9, 'nine')] });
    await bob.locator('#log').focus();
    await bob.evaluate(() => {
      document.addEventListener('copy', ({ clipboardData }) => { window.copied = clipboardData.getData('text/plain'); });
      getSelection().selectAllChildren(document.getElementById('rows'));
    });
    await bob.keyboard.press('Control+c');
    await bob.waitForFunction(() => window.copied !== undefined);
    assert.match(await bob.evaluate(() => window.copied), /^Cid, \d\d:\d\d: eight\nAnn, \d\d:\d\d: nine$/);
  });

  test('in slow mode one sees how long one has to wait', async () => {
    const { bob, line } = await inLab();
    line.send(settings(11, { slow_ms: 60_000 }));
    await field(bob).fill('first');
    await field(bob).press('Enter');
    const { id, key } = await line.next('send');
    line.send({ type: 'ack', id, room: 'LAB', seq: 12, at: at(12) }, message(12, 'first', BOB, key));
    await bob.getByText(/^You can write again in \d+ seconds$/).waitFor();
  });
}, { serve: serveScript, browsers: EVERY_BROWSER });

withBrowser('messages on glass', chat => {
  test('a long press opens the menu of a message', async () => {
    const { bob } = await enterLab(chat, { features, history: [message(9, 'nine', { ...ANN })] }, PHONE);
    const { x, y } = await bob.locator('.bubble').boundingBox();
    const devtools = await bob.context().newCDPSession(bob);
    await devtools.send('Input.dispatchTouchEvent', { type: 'touchStart', touchPoints: [{ x: x + 10, y: y + 10 }] });
    await bob.getByRole('menuitem', { name: 'Reply' }).waitFor();
    await devtools.send('Input.dispatchTouchEvent', { type: 'touchEnd', touchPoints: [] });
    await bob.getByRole('menuitem', { name: 'Reply' }).click();
    await bob.locator('#about-words').waitFor();
  });
}, { serve: serveScript });
