// Where one writes: the field keeps the focus, and with it a phone's keyboard; Enter is the input method's while it composes.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EVERY_BROWSER, hear, PHONE, say, withBrowser } from './chat.mjs';
import { enterLab, message, serveScript } from './scripted.mjs';

withBrowser('writing', chat => {
  const inLab = options => enterLab(chat, { history: [message(9, 'nine')] }, options);
  const field = page => page.getByLabel('Message', { exact: true });
  const focused = page => page.evaluate(() => document.activeElement.id);

  /** Counts from now on how often the field loses the focus. */
  const watchFocus = page => field(page).evaluate(node => {
    window.blurs = 0;
    node.addEventListener('blur', () => { window.blurs += 1; });
  });
  const blurs = page => page.evaluate(() => window.blurs);

  for (const [where, options] of [['a desktop', {}], ['a phone', PHONE]]) {
    test(`on ${where}, a press on Send leaves the focus in the field, and so does one too many`, async () => {
      const { bob, line } = await inLab(options);
      const { x, y, width, height } = await bob.getByRole('button', { name: 'Send', exact: true }).boundingBox();
      // A Firefox that is driven makes no click of a touch.
      const isTouch = options.hasTouch && chat.browserName === 'Chromium';
      const press = () => isTouch
        ? bob.touchscreen.tap(x + width / 2, y + height / 2) : bob.mouse.click(x + width / 2, y + height / 2);
      await field(bob).click();
      await field(bob).fill('by the button');
      await watchFocus(bob);
      await press();
      assert.equal((await line.next('send')).text, 'by the button');
      assert.deepEqual([await focused(bob), await blurs(bob)], ['text', 0]);
      assert.equal(await field(bob).inputValue(), '');
      await press();
      assert.deepEqual([await focused(bob), await blurs(bob)], ['text', 0]);
      await bob.keyboard.type('and on');
      assert.equal(await field(bob).inputValue(), 'and on');
    });
  }

  test('no button that is pressed while one writes takes the focus', async () => {
    const { bob, line } = await inLab();
    const keeps = async name => {
      await bob.getByRole('button', { name }).click();
      assert.equal(await focused(bob), 'text', name);
    };
    await field(bob).click();
    for (const name of ['Copy room code', 'Copy link to this room']) await keeps(name);

    await say(bob, 'rude');
    for (const name of ['Send again', 'Discard']) {
      const { id } = await line.next('send');
      line.send({ type: 'error', id, room: 'LAB', code: 'forbidden', message: 'no' });
      await keeps(name);
    }
    line.send(...Array.from({ length: 60 }, (_, index) => message(11 + index, `line ${index}`)));
    await hear(bob, 'line 59');
    await bob.locator('#log').evaluate(log => { log.scrollTop = 300; });
    await keeps('To the newest');
    await bob.locator('#jump').waitFor({ state: 'hidden' });

    line.close(4006, 'fault');
    await keeps('Try now');
    await (await chat.server.connection()).next('hello');
  });

  test('the way to the newest, taken by keyboard, leads into the log', async () => {
    const { bob, line } = await inLab();
    line.send(...Array.from({ length: 60 }, (_, index) => message(11 + index, `line ${index}`)));
    await hear(bob, 'line 59');
    await bob.locator('#log').evaluate(log => { log.scrollTop = 300; });
    await bob.getByRole('button', { name: 'To the newest' }).press('Enter');
    assert.equal(await focused(bob), 'log');
  });

  test('the Enter that ends a composition does not send', async () => {
    const { bob, line } = await inLab();
    await field(bob).fill('かな');
    const enter = how => field(bob).evaluate((node, init) =>
      node.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true, cancelable: true, ...init })), how);
    // While it lasts, as most browsers tell it; and just after it, as Safari does. Nor is the key taken from it.
    for (const how of [{ isComposing: true, keyCode: 13 }, { isComposing: false, keyCode: 229 }]) {
      assert.equal(await enter(how), true);
      assert.equal(await field(bob).inputValue(), 'かな', JSON.stringify(how));
    }
    await enter({ keyCode: 13 });
    assert.equal((await line.next('send')).text, 'かな');
  });

  test('the count of characters looks the same when there are too many', async () => {
    const { bob } = await inLab();
    const hint = bob.locator('#text-hint');
    const look = () => hint.evaluate(node => {
      const { display, padding, overflowY, flex } = getComputedStyle(node);
      return { display, padding, overflowY, flex, height: node.offsetHeight };
    });
    await field(bob).fill('x'.repeat(3_990));
    await hint.filter({ hasText: '10 left' }).waitFor();
    const before = await look();
    await field(bob).fill('x'.repeat(4_005));
    await hint.filter({ hasText: '5 too many' }).waitFor();
    assert.deepEqual(await look(), before);
    assert.notEqual(await hint.evaluate(node => getComputedStyle(node).color),
      await bob.locator('#typing').evaluate(node => getComputedStyle(node).color));
  });
}, { serve: serveScript, browsers: EVERY_BROWSER });
