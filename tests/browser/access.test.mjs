// Who can use the page: what axe finds in every state it can be in.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { hear, PHONE, withBrowser } from './chat.mjs';
import { ANN, BOB, at, enterLab, message, reacted, serveScript } from './scripted.mjs';

const axe = await readFile(new URL('node_modules/axe-core/axe.min.js', import.meta.url), 'utf8');
const features = ['edit', 'react', 'settings', 'role'];
const OWNER = { ...BOB, role: 'owner' };
const ANN_AWAY = { ...ANN, role: 'moderator', online: false };

/** What axe says against the levels A and AA of WCAG 2.2. */
async function violations(page) {
  await page.evaluate(axe);
  return page.evaluate(async () => {
    await Promise.all(document.getAnimations().map(animation => animation.finished.catch(() => {})));
    const { violations: found } = await axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] });
    return found.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(' | ')}`);
  });
}

withBrowser('access', chat => {
  const inLab = options => enterLab(chat, {
    features, you: OWNER, members: [OWNER, ANN_AWAY], topic: 'Tea',
    history: [message(7, 'see www.example.org and `code`'), { ...message(8, 'eight', BOB), edited: 1 }, { ...message(9, ''), redacted: true }],
  }, options);

  for (const [name, options] of [['light', { colorScheme: 'light' }], ['dark', { colorScheme: 'dark' }], ['on a phone', PHONE]]) {
    test(`axe finds nothing: ${name}`, async () => {
      const found = {};
      const check = async (state, page) => {
        const said = await violations(page);
        if (said.length > 0) found[state] = said;
      };
      const home = await chat.open('/', options);
      await (await chat.server.connection()).next('hello');
      await check('the form', home);
      await home.getByRole('button', { name: 'Join' }).click();
      await check('the form with a refusal', home);

      const { bob, line } = await inLab(options);
      const leave = (seq, member) => ({ type: 'member_left', room: 'LAB', seq, at: at(seq), member, nick: `N${member}`, reason: 'left' });
      line.send(reacted(11, 7, '👍', 1, true, 1), leave(12, 5), leave(13, 6), leave(14, 7), leave(15, 8), message(16, 'Bob, look'));
      await hear(bob, 'Bob, look');
      await check('a room', bob);
      await bob.locator('.message').first().press('Enter');
      await check('the menu of a message', bob);
      await bob.getByRole('menuitem', { name: 'Reply' }).click();
      await check('an answer', bob);
      await bob.getByRole('button', { name: 'Set the topic' }).click();
      await check('a dialog', bob);
      await bob.keyboard.press('Escape');
      if (options.isMobile) await bob.getByRole('button', { name: /^Members/ }).click();
      await check('the members', bob);
      await bob.getByRole('button', { name: 'Room settings' }).click();
      const { id } = await line.next('bans');
      line.send({ type: 'bans', id, room: 'LAB', bans: [{ ban: 1, member: 9, nick: 'Eve', at: at(1) }], more: false });
      await bob.getByRole('button', { name: 'Let in again: Eve' }).waitFor();
      await check('the settings', bob);
      await bob.keyboard.press('Escape');
      await bob.evaluate(() => dispatchEvent(new Event('offline')));
      await check('without a network', bob);
      line.send({ type: 'member_left', room: 'LAB', seq: 17, at: at(17), member: 2, nick: 'Bob', reason: 'kicked', by: 1 });
      await bob.getByRole('button', { name: 'Rejoin' }).waitFor();
      await check('an end', bob);
      assert.deepEqual(found, {});
    });
  }
}, { serve: serveScript });
