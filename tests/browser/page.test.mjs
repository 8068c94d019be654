// The page as such: what the server allows it, how it fits a phone, and who can use it.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { create, enter, EVERY_BROWSER, hear, PHONE, say, withBrowser } from './chat.mjs';

const POLICY = ["default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'",
  "img-src 'self' data:", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"];

withBrowser('page', chat => {
  test('nothing from elsewhere is allowed, and nothing is needed', async () => {
    const answer = await fetch(chat.server.url);
    const policy = answer.headers.get('content-security-policy').split(';').map(part => part.trim()).filter(Boolean);
    assert.deepEqual(policy.sort(), [...POLICY].sort());
    const ann = await chat.open();
    const asked = await ann.evaluate(() =>
      performance.getEntriesByType('resource').map(entry => new URL(entry.name).host));
    assert.ok(asked.length > 5);
    assert.deepEqual([...new Set(asked)], [new URL(chat.server.url).host]);
    await create(ann, 'Ann');
    await say(ann, 'https://example.org and so on');
    await hear(ann, 'https://example.org and so on');
  });

  test('the Socket.IO client of the page is the stock one, with its licence', async () => {
    const stock = new URL('node_modules/socket.io-client/', import.meta.url);
    for (const [own, file] of [
      ['socket.io.esm.min.js', 'dist/socket.io.esm.min.js'], ['socket.io.LICENSE.txt', 'LICENSE'],
    ]) {
      const served = await fetch(`${chat.server.url}/page/vendor/${own}`);
      assert.equal(served.status, 200);
      assert.equal(await served.text(), await readFile(new URL(file, stock), 'utf8'));
    }
  });

  test('a phone is wide enough for everything', async () => {
    const [ann, bob] = [await chat.open('/', PHONE), await chat.open('/', PHONE)];
    const fits = async page => assert.ok(await page.evaluate(() =>
      document.documentElement.scrollWidth <= innerWidth && document.getElementById('log').scrollWidth <= innerWidth));
    await fits(ann);
    const code = await create(ann, 'A'.repeat(32), 'a-room-with-a-name-as-long-as-it');
    await enter(bob, 'W'.repeat(32), code);
    const long = 'long'.repeat(200);
    await say(bob, long);
    await say(bob, `https://example.org/${long}`);
    await hear(ann, long);
    await ann.waitForFunction(() => document.querySelectorAll('.message').length === 2);
    await fits(ann);
    await fits(bob);
    for (const name of [/^Members/, 'Leave this room', 'Copy room code', 'Copy link to this room', 'Send']) {
      const box = await ann.getByRole('button', { name }).boundingBox();
      assert.ok(box.x >= 0 && box.x + box.width <= 360 && box.width >= 36, `${name}: ${JSON.stringify(box)}`);
    }
    await ann.getByRole('button', { name: 'Rooms', exact: true }).click();
    await ann.getByRole('button', { name: code }).waitFor();
    await ann.keyboard.press('Escape');
    await ann.getByRole('button', { name: code }).waitFor({ state: 'hidden' });
    await ann.getByRole('button', { name: /^Members/ }).click();
    await ann.getByRole('button', { name: `Remove ${'W'.repeat(32)}` }).waitFor();
    await fits(ann);
  });

  test('all can be reached and used by keyboard', async () => {
    const ann = await chat.open();
    await ann.waitForFunction(() => document.activeElement.id === 'nick');
    await ann.keyboard.type('Ann');
    await ann.keyboard.press('Tab');
    await ann.keyboard.press('Tab');
    await ann.keyboard.press('Tab');
    await ann.keyboard.type('keys');
    await ann.keyboard.press('Enter');
    await ann.waitForFunction(() => document.activeElement.id === 'text');
    const reached = new Set();
    for (let step = 0; step < 20; step += 1) {
      await ann.keyboard.press('Tab');
      reached.add(await ann.evaluate(() => document.activeElement.id));
    }
    for (const id of ['copy-code', 'copy-link', 'edit-topic', 'show-members', 'leave', 'log', 'text']) {
      assert.ok(reached.has(id), `${id} is not reached`);
    }
  });

  test('every control has a name, and the log is a live region', async () => {
    const [ann, bob] = [await chat.open(), await chat.open()];
    await enter(bob, 'Bob', await create(ann, 'Ann'));
    await say(bob, 'hi');
    await hear(ann, 'hi');
    // While a room is being shown afresh nothing is read out; then what is new is.
    await ann.locator('[role="log"][aria-live="polite"]').waitFor();
    const nameless = await ann.evaluate(() => [...document.querySelectorAll('button, input, textarea')]
      .filter(node => node.checkVisibility())
      .filter(node => !node.ariaLabel && !node.textContent.trim() && !node.labels?.[0]?.textContent.trim())
      .map(node => node.outerHTML));
    assert.deepEqual(nameless, []);
    const ids = await ann.evaluate(() => [...document.querySelectorAll('[id]')].map(node => node.id));
    assert.equal(new Set(ids).size, ids.length, 'ids are unique');
  });

  for (const colorScheme of ['light', 'dark']) {
    test(`all words can be read in ${colorScheme}`, async () => {
      const ann = await chat.open('/', { colorScheme });
      await create(ann, 'Ann');
      await say(ann, 'hello');
      await hear(ann, 'hello');
      const weak = await ann.evaluate(() => {
        const channels = color => color.match(/[\d.]+/g).slice(0, 3).map(Number);
        const light = color => channels(color).map(value => value / 255)
          .map(value => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)
          .reduce((sum, value, index) => sum + value * [0.2126, 0.7152, 0.0722][index], 0);
        const ratio = (a, b) => (Math.max(light(a), light(b)) + 0.05) / (Math.min(light(a), light(b)) + 0.05);
        const probe = document.body.appendChild(document.createElement('i'));
        const color = value => {
          probe.style.color = value;
          return getComputedStyle(probe).color;
        };
        const found = [];
        const check = (name, ink, ground) => {
          const is = ratio(color(ink), color(ground));
          if (is < 4.5) found.push(`${name}: ${is.toFixed(2)}`);
        };
        for (let index = 0; index < 16; index += 1) {
          probe.className = `c${index}`;
          check(`colour ${index} on a message`, 'var(--c)', 'var(--surface)');
          check(`initial on colour ${index}`, 'var(--canvas)', 'var(--c)');
        }
        for (const ground of ['canvas', 'surface', 'sunken']) {
          check(`ink on ${ground}`, 'var(--ink)', `var(--${ground})`);
          check(`muted on ${ground}`, 'var(--muted)', `var(--${ground})`);
          check(`accent on ${ground}`, 'var(--accent)', `var(--${ground})`);
        }
        check('own message', 'var(--ink)', 'var(--accent-soft)');
        check('its time', 'var(--on-soft-muted)', 'var(--accent-soft)');
        check('a link in it', 'var(--accent)', 'var(--accent-soft)');
        check('button', 'var(--on-accent)', 'var(--accent)');
        check('danger', 'var(--danger)', 'var(--danger-soft)');
        check('banner', 'var(--muted)', 'var(--warn-soft)');
        probe.remove();
        return found;
      });
      assert.deepEqual(weak, []);
    });
  }
}, { browsers: EVERY_BROWSER });
