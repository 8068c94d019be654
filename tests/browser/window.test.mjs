// A log that is longer than what is near to the view: only that is in the page, and nothing else is different for it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EVERY_BROWSER, hear, withBrowser } from './chat.mjs';
import { enterLab, history, message, redacted, serveScript } from './scripted.mjs';

const LAST = 1_200;
/** Of a view of two or three blocks of twenty rows, with ten more on either side. */
const ROWS_MAX = 460;
// Of different heights, so that a guess at one would show.
const said = seq => `line ${seq} ${'word '.repeat(seq * 37 % 90)}`.trim();
const lines = (from, to) => Array.from({ length: to - from + 1 }, (_, index) => message(from + index, said(from + index)));

withBrowser('window', chat => {
  /** All of the room's messages are held, and one reads the middle of them. */
  async function inLongLab() {
    const { bob, line } = await enterLab(chat, { seq: LAST, history: lines(LAST - 49, LAST), more: true });
    line.onFrame = ({ type, id, before }) => type === 'history' && line.send(history(id, lines(1, before - 1), { more_before: false }));
    await scrollTo(bob, 0);
    await bob.waitForFunction(() => document.querySelector('.start button')?.hidden || document.querySelector('.start') === null);
    await stands(bob);
    await bob.locator('#log').evaluate(log => { log.scrollTop = log.scrollHeight / 2; });
    await stands(bob);
    return { bob, line };
  }
  const scrollTo = (bob, top) => bob.locator('#log').evaluate((log, to) => { log.scrollTop = to; }, top);
  const rows = bob => bob.evaluate(() => document.querySelectorAll('.message').length);
  const stands = bob => bob.evaluate(async () => {
    const log = document.getElementById('log');
    const look = () => `${log.scrollTop} of ${log.scrollHeight}, ${document.querySelectorAll('.message').length}`;
    for (let still = 0, last = null; still < 20; still += 1) {
      if (look() !== last) still = 0;
      last = look();
      await new Promise(requestAnimationFrame);
    }
  });

  test('as one scrolls there is always something to read, the height stays, and few rows are in the page', async () => {
    const { bob } = await inLongLab();
    const seen = await bob.evaluate(async most => {
      const log = document.getElementById('log');
      const frame = () => new Promise(requestAnimationFrame);
      const found = { heights: new Set([log.scrollHeight]), most: 0, blank: 0 };
      // Also in leaps, as by the scrollbar.
      for (const top of [0, .9, .2, .5, .51, .53, 1, .3, .31, 0].map(part => part * log.scrollHeight)) {
        log.scrollTop = top;
        await frame();
        await new Promise(done => { setTimeout(done); });
        const { left, top: upper, width, height } = log.getBoundingClientRect();
        const there = [.25, .5, .75].map(part => document.elementFromPoint(left + width / 2, upper + height * part));
        found.blank += there.filter(node => !node.closest('.block')?.hasChildNodes()).length;
        found.heights.add(log.scrollHeight);
        // What is far away goes a moment later.
        const count = () => document.querySelectorAll('.message').length;
        for (let waited = 0; waited < 120 && count() > most; waited += 1) await frame();
        found.most = Math.max(found.most, count());
      }
      return { ...found, heights: [...found.heights] };
    }, ROWS_MAX);
    assert.equal(seen.blank, 0);
    assert.equal(seen.heights.length, 1, `the log was ${seen.heights} px high`);
    assert.ok(seen.most > 60 && seen.most <= ROWS_MAX, `${seen.most} rows`);
    await bob.getByText(said(1), { exact: true }).waitFor();
  });

  test('what has the focus stays in the page, and arrow keys go on from there', async () => {
    const { bob } = await inLongLab();
    await bob.locator('#log').focus();
    await bob.keyboard.press('ArrowUp');
    const focused = () => bob.evaluate(() => document.activeElement.querySelector('.text')?.textContent ?? document.activeElement.id);
    const number = Number(/^line (\d+)/.exec(await focused())[1]);
    await scrollTo(bob, 0);
    await stands(bob);
    await bob.keyboard.press('ArrowUp');
    assert.equal(await focused(), said(number - 1));
    for (const [key, text] of [['Home', said(1)], ['End', said(LAST)], ['ArrowUp', said(LAST - 1)]]) {
      await bob.keyboard.press(key);
      assert.equal(await focused(), text);
      await stands(bob);
      assert.ok(await rows(bob) <= ROWS_MAX);
    }
  });

  test('what is copied of all of it is all of it', async () => {
    const { bob } = await inLongLab();
    await bob.locator('#log').focus();
    await bob.evaluate(() => {
      document.addEventListener('copy', ({ clipboardData }) => { window.copied = clipboardData.getData('text/plain'); });
      getSelection().selectAllChildren(document.getElementById('rows'));
    });
    await bob.keyboard.press('Control+c');
    await bob.waitForFunction(() => window.copied !== undefined);
    const copied = (await bob.evaluate(() => window.copied)).split('\n').map(line => line.replace(/^Ann, \d\d:\d\d: /, ''));
    assert.deepEqual(copied, lines(1, LAST).map(({ text }) => text));
  });

  test('what changes far from the view, or comes below it, moves nothing', async () => {
    const { bob, line } = await inLongLab();
    const top = () => bob.evaluate(() => {
      const log = document.getElementById('log').getBoundingClientRect();
      const node = document.elementFromPoint(log.left + log.width / 2, log.top + log.height / 2).closest('.block').querySelector('.message');
      window.held ??= node;
      return window.held.getBoundingClientRect().bottom - log.top;
    });
    const stood = await top();
    line.send(redacted(LAST + 1, 80), message(LAST + 2, 'below'));
    await bob.getByRole('button', { name: '1 new message' }).waitFor();
    await stands(bob);
    const moved = await top() - stood;
    assert.ok(Math.abs(moved) <= 1, `moved by ${moved} px`);
    await bob.getByRole('button', { name: '1 new message' }).click();
    await hear(bob, 'below');
    await stands(bob);
    assert.ok(await rows(bob) <= ROWS_MAX);
  });

  test('what comes back into the page is not read out', async () => {
    const { bob, line } = await inLongLab();
    await bob.evaluate(() => {
      window.read = [];
      new MutationObserver(changes => changes.forEach(({ addedNodes }) => addedNodes.forEach(node => {
        if (node.matches?.('.message') && node.closest('[aria-live]')?.getAttribute('aria-live') === 'polite') window.read.push(node.querySelector('.text').textContent);
      }))).observe(document.getElementById('rows'), { childList: true, subtree: true });
    });
    await scrollTo(bob, 0);
    await stands(bob);
    await scrollTo(bob, 1e9);
    await stands(bob);
    assert.deepEqual(await bob.evaluate(() => window.read), []);
    line.send(message(LAST + 1, 'news'));
    await hear(bob, 'news');
    assert.deepEqual(await bob.evaluate(() => window.read), ['news']);
  });

  test('a key makes the browser arrange the page once, when it draws', async () => {
    const { bob } = await inLongLab();
    await bob.getByLabel('Message', { exact: true }).focus();
    const grows = await bob.evaluate(() => {
      window.asked = [];
      const note = (name, node) => window.asked.push(`${name} of ${node.id || node.className}`);
      for (const name of ['scrollHeight', 'scrollTop', 'clientHeight', 'clientWidth']) {
        const { get, set } = Object.getOwnPropertyDescriptor(Element.prototype, name);
        Object.defineProperty(Element.prototype, name, { get() { return note(name, this), get.call(this); }, set, configurable: true });
      }
      const { getBoundingClientRect } = Element.prototype;
      Element.prototype.getBoundingClientRect = function box() { return note('box', this), getBoundingClientRect.call(this); };
      return CSS.supports('field-sizing', 'content');
    });
    await bob.keyboard.type('half a thought');
    await bob.waitForFunction(() => document.getElementById('text').value === 'half a thought');
    await bob.evaluate(() => new Promise(requestAnimationFrame));
    // Where the style alone cannot make the field grow, the field itself is asked.
    const found = (await bob.evaluate(() => window.asked)).filter(what => grows || what !== 'scrollHeight of text');
    assert.deepEqual(found, []);
  });
}, { serve: serveScript, browsers: EVERY_BROWSER });
