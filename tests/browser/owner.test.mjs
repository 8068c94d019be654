// What those who keep order may do in the page, and what others may not; slow mode; a name that is changed; what was read elsewhere.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connectClient, EVERY_BROWSER, hear, inRoom, PATIENCE_MS, withBrowser } from './chat.mjs';
import { ANN, at, BOB, enterLab, message, serveScript, settings } from './scripted.mjs';

const features = ['edit', 'react', 'settings', 'role', 'me', 'read'];
const CID = { member: 3, nick: 'Cid', color: 5, role: 'member', online: true };
const MOD = { member: 4, nick: 'Mo', color: 6, role: 'moderator', online: true };

withBrowser('owner', chat => {
  const as = (role, told) => {
    const you = { ...BOB, role };
    const owner = role === 'owner' ? { ...ANN, role: 'member' } : ANN;
    return enterLab(chat, { features, you, members: [you, owner, CID, MOD], ...told });
  };
  const field = page => page.getByLabel('Message', { exact: true });

  for (const [role, above] of [['owner', ['Ann', 'Cid', 'Mo']], ['moderator', ['Cid']], ['member', []]]) {
    test(`the menu of a message offers what the role of a ${role} lets one do`, async () => {
      const history = [message(6, 'by Ann', ANN), message(7, 'by Cid', CID), message(8, 'by Mo', MOD), message(9, 'by Bob', BOB)];
      const { bob } = await as(role, { history });
      for (const nick of ['Ann', 'Cid', 'Mo', 'Bob']) {
        await bob.locator('.message').filter({ hasText: `by ${nick}` }).press('Enter');
        const items = await bob.getByRole('menuitem').allTextContents();
        assert.deepEqual([items.includes('Remove this message'), items.includes('Edit')],
          [nick === 'Bob' || above.includes(nick), nick === 'Bob'], nick);
        await bob.keyboard.press('Escape');
      }
    });
  }

  test('where only those who keep order write, others are offered no answer', async () => {
    const { bob, line } = await as('member', { history: [message(9, 'nine')] });
    line.send(settings(11, { read_only: true }));
    await bob.waitForFunction(() => document.getElementById('text').disabled);
    await bob.locator('.message').first().press('Enter');
    assert.deepEqual(await bob.getByRole('menuitem').allTextContents(), ['Copy text']);
  });

  test('settings that are saved say what is another than before, and nothing else', async () => {
    const { bob, line } = await as('owner', { settings: { locked: true } });
    const open = async () => {
      await bob.getByRole('button', { name: 'Room settings' }).click();
      const { id } = await line.next('bans');
      line.send({ type: 'bans', id, room: 'LAB', bans: [], more: false });
      await bob.getByText('Nobody.', { exact: true }).waitFor();
    };
    await open();
    assert.equal(await bob.getByLabel('Nobody new gets in').isChecked(), true);
    await bob.getByLabel('Slow mode: one message every').selectOption('30 seconds');
    await bob.getByLabel('Nobody new gets in').uncheck();
    await bob.getByLabel('Another secret that newcomers are asked for').fill('sesame');
    await bob.getByRole('button', { name: 'Save' }).click();
    const { id, room, ...asked } = await line.next('settings');
    assert.deepEqual(asked, { type: 'settings', slow_ms: 30_000, locked: false, secret: 'sesame' });
    line.send({ type: 'ack', id, room, seq: 11, at: at(11) }, settings(11, { slow_ms: 30_000, secret: true }, BOB.member));
    await bob.locator('.notice').waitFor();

    await open();
    assert.equal(await bob.getByLabel('Slow mode: one message every').inputValue(), '30000');
    assert.equal(await bob.getByLabel('Another secret that newcomers are asked for').inputValue(), '');
    await bob.getByRole('button', { name: 'Save' }).click();
    await bob.getByRole('dialog').waitFor({ state: 'hidden' });
    assert.equal(line.seen.filter(({ type }) => type === 'settings').length, 1, 'nothing was changed');
  });

  test('a member who is no moderator is not offered the settings, and a moderator not how much newcomers see', async () => {
    const { bob: member } = await as('member');
    assert.equal(await member.getByRole('button', { name: 'Room settings' }).count(), 0);
    const { bob: moderator } = await as('moderator');
    await moderator.getByRole('button', { name: 'Room settings' }).click();
    await moderator.getByRole('dialog').waitFor();
    assert.equal(await moderator.getByLabel('Newcomers see of what was said before').isVisible(), false);
  });

  test('in slow mode the seconds are counted down, and then nothing is said of it', async () => {
    const { bob, line } = await as('member', { settings: { slow_ms: 60_000 } });
    await bob.clock.install();
    await field(bob).fill('first');
    await field(bob).press('Enter');
    const { id, key } = await line.next('send');
    line.send({ type: 'ack', id, room: 'LAB', seq: 12, at: at(12) }, message(12, 'first', BOB, key));
    const words = bob.locator('#slow');
    const seconds = async () => Number(/^You can write again in (\d+) seconds?$/.exec(await words.textContent())?.[1] ?? 0);
    await words.filter({ hasText: 'You can write again' }).waitFor();
    const before = await seconds();
    assert.ok(before > 50 && before <= 60, `${before} s`);
    await bob.clock.runFor(20_000);
    const after = await seconds();
    assert.ok(after >= before - 22 && after <= before - 18, `${before} s, then ${after} s`);
    await bob.clock.runFor(45_000);
    assert.equal(await words.textContent(), '');
  });

  test('one changes one\'s own name, and everybody sees it', async () => {
    const { bob, line } = await as('member');
    await bob.getByRole('button', { name: 'Change your name' }).click();
    assert.equal(await bob.getByLabel('How others see you').last().inputValue(), 'Bob');
    await bob.getByRole('dialog').getByLabel('How others see you').fill(' Bobby ');
    await bob.getByRole('button', { name: 'Change', exact: true }).click();
    const { id, nick } = await line.next('me');
    assert.equal(nick, 'Bobby');
    line.send({ type: 'ack', id, room: 'LAB', seq: 11, at: at(11) },
      { type: 'member_changed', room: 'LAB', seq: 11, at: at(11), member: 2, nick: 'Bobby' });
    await bob.locator('.member .name', { hasText: 'Bobby' }).waitFor();
    await bob.getByRole('button', { name: 'Change your name' }).click();
    await bob.getByRole('button', { name: 'Change', exact: true }).click();
    line.send({ type: 'error', id: (await line.next('me')).id, room: 'LAB', code: 'nick_taken', message: 'taken' });
    await bob.getByText('Somebody in the room has this name').waitFor();
  });

  test('what was read is told when one looks and when one stops; what was read elsewhere is not new here', async () => {
    const { bob, line } = await as('member', { seq: 10, history: [message(9, 'nine'), message(10, 'ten')], read: { through: 8, unread: 2, as_of: 10 } });
    const { id, through } = await line.next('read');
    assert.equal(through, 10);
    line.send({ type: 'read', id, room: 'LAB', through: 10, unread: 0, as_of: 10 });
    await bob.evaluate(() => {
      Object.defineProperty(document, 'hidden', { get: () => window.isAway, configurable: true });
      window.isAway = true;
      document.dispatchEvent(new Event('visibilitychange'));
    });
    line.send(message(11, 'eleven'), message(12, 'twelve'), message(13, 'thirteen'));
    await bob.waitForFunction(() => document.title.startsWith('(3)'));
    line.send({ type: 'read', room: 'LAB', through: 12, unread: 1, as_of: 13 });
    await bob.waitForFunction(() => document.title.startsWith('(1)'));
    await bob.evaluate(() => {
      window.isAway = false;
      document.dispatchEvent(new Event('visibilitychange'));
    });
    assert.equal((await line.next('read')).through, 13);
    assert.equal(await bob.locator('.new + .message .text').textContent(), 'thirteen');
  });
}, { serve: serveScript, browsers: EVERY_BROWSER });

withBrowser('open rooms', chat => {
  test('a room that its owner lists is offered on the form, and a press leads into it', async () => {
    const ann = await connectClient(chat.server.url);
    const { room } = await ann.request({ type: 'create', nick: 'Ann', room: `OPEN-${chat.browserName}` });
    const hidden = await ann.request({ type: 'create', nick: 'Ann' });
    assert.equal((await ann.request({ type: 'settings', room, listed: true })).type, 'ack');
    await ann.request({ type: 'send', room, text: 'come in' });
    // The page of open rooms is made once a second.
    const until = Date.now() + PATIENCE_MS;
    while (!(await fetch(`${chat.server.url}/lobby`).then(answer => answer.json())).rooms.includes(room)) assert.ok(Date.now() < until, 'it is never listed');
    const bob = await chat.open();
    await bob.getByRole('heading', { name: 'Open rooms' }).waitFor();
    assert.deepEqual(await bob.locator('#lobby-list button').allTextContents(), [room]);
    assert.notEqual(hidden.room, room);
    await bob.getByLabel('Your name', { exact: true }).fill('Bob');
    await bob.getByRole('button', { name: room }).click();
    await inRoom(bob, room);
    await hear(bob, 'come in');
  });
}, { browsers: EVERY_BROWSER });
