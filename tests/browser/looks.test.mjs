// How the page stands what people set for their eyes: colours that are forced, and letters of twice the size.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EVERY_BROWSER, hear, PHONE, withBrowser } from './chat.mjs';
import { ANN, BOB, enterLab, message, reacted, serveScript } from './scripted.mjs';

const features = ['edit', 'react', 'settings', 'role'];
const OWNER = { ...BOB, role: 'owner' };

withBrowser('looks', chat => {
  const inLab = options => enterLab(chat, {
    features, you: OWNER, members: [OWNER, ANN], topic: 'Tea', history: [message(8, 'eight', BOB), message(9, 'Bob, nine')],
  }, options);

  test('where colours are forced, what only a ground told apart has an outline', async t => {
    const { bob, line } = await inLab({ forcedColors: 'active' });
    if (!await bob.evaluate(() => matchMedia('(forced-colors: active)').matches)) return t.skip(`${chat.browserName} cannot be told to force colours`);
    line.send(reacted(11, 9, '👍', 2, true, 1));
    await bob.getByRole('button', { name: '👍 1' }).waitFor();
    await bob.locator('.message').first().press('Enter');
    const look = await bob.evaluate(() => {
      const style = selector => getComputedStyle(document.querySelector(selector));
      const border = selector => style(selector).borderTopWidth;
      return {
        borders: ['.bubble', '.message-menu', '.message .avatar'].filter(selector => border(selector) !== '1px'),
        named: style('.names .bubble').borderInlineStartWidth,
        outlines: ['.room-item[aria-current]', '.reaction[aria-pressed="true"]', '[role="menuitem"]:focus']
          .filter(selector => style(selector).outlineStyle !== 'solid' || style(selector).outlineWidth !== '2px'),
        dot: style('.dot').backgroundColor,
      };
    });
    assert.deepEqual({ ...look, dot: undefined }, { borders: [], named: '4px', outlines: [], dot: undefined });
    // The dot says by its colour alone whether there is a connection: green, as it is elsewhere.
    const [red, green, blue] = look.dot.match(/\d+/g).map(Number);
    assert.ok(green > red && green > blue, look.dot);
  });

  for (const [name, options] of [['a desktop', {}], ['a phone', PHONE]]) {
    test(`letters of twice the size fit on ${name}: the room, its settings, the form`, async () => {
      const { bob } = await inLab(options);
      const { width } = bob.viewportSize();
      const fits = async (what, names) => {
        assert.ok(await bob.evaluate(() => document.documentElement.scrollWidth <= innerWidth), what);
        for (const button of names) {
          const box = await bob.getByRole('button', { name: button, exact: true }).boundingBox();
          assert.ok(box !== null && box.x >= 0 && box.x + box.width <= width, `${button}: ${JSON.stringify(box)}`);
        }
      };
      await bob.evaluate(() => { document.documentElement.style.fontSize = '200%'; });
      await fits('the room', ['Leave this room', 'Send', 'Copy room code', 'Set the topic']);
      await hear(bob, 'Bob, nine');
      const sizes = await bob.evaluate(() => ['.message .text', '#text', '.member .name', '.typing', '#connection-words']
        .map(selector => parseFloat(getComputedStyle(document.querySelector(selector)).fontSize)));
      assert.ok(sizes.every(size => size >= 24), `${sizes} px`);
      const isWhole = await bob.evaluate(() => {
        const { clientWidth, clientHeight, scrollWidth, scrollHeight } = document.querySelector('.message.last .avatar');
        return scrollWidth <= clientWidth && scrollHeight <= clientHeight;
      });
      assert.ok(isWhole, 'a letter is larger than its circle');
      if (options.isMobile) await bob.getByRole('button', { name: /^Members/ }).click();
      await bob.getByRole('button', { name: 'Room settings' }).click();
      await bob.getByRole('button', { name: 'Save' }).scrollIntoViewIfNeeded();
      await fits('the settings', ['Save', 'Cancel']);
      await bob.keyboard.press('Escape');
      if (options.isMobile) {
        await bob.keyboard.press('Escape');
        await bob.getByRole('button', { name: 'Rooms', exact: true }).click();
      }
      await bob.getByRole('button', { name: 'New room' }).click();
      await bob.getByRole('button', { name: 'Create room' }).scrollIntoViewIfNeeded();
      await fits('the form', ['Join', 'Create room']);
    });
  }
}, { serve: serveScript, browsers: EVERY_BROWSER });
