// The log on screen: the lines one reads stay where they are, whatever comes or goes, and nothing is drawn in vain.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EVERY_BROWSER, hear, withBrowser } from './chat.mjs';
import { enterLab, gap, history, message, serveScript } from './scripted.mjs';

const LAST = 400;
/** The lines `from` to `to`, both among them. */
const lines = (from, to) => Array.from({ length: to - from + 1 }, (_, index) => message(from + index, `line ${from + index}`));
const page = before => lines(before - 50, before - 1);
const answer = ({ id, before }) => history(id, page(before), { more_before: before > 51 });

/** The ways to the top: `reach(page)` goes there. */
const WAYS = {
  'the Home key': async bob => {
    await bob.locator('#log').focus();
    await bob.keyboard.press('Home');
  },
  'a flick of the wheel': async bob => {
    await bob.locator('#log').hover();
    await bob.mouse.wheel(0, -20_000);
  },
  'the scrollbar': bob => scrollTo(bob, 0),
};

const scrollTo = (bob, top) => bob.locator('#log').evaluate((log, to) => { log.scrollTop = to; }, top);

/** How far below the upper edge of the log a line stands. */
const topOf = (bob, text) => bob.evaluate(wanted => {
  const node = [...document.querySelectorAll('.message')].find(row => row.querySelector('.text').textContent === wanted);
  // Of its end: the name above it goes where earlier lines of its sender come.
  return node.getBoundingClientRect().bottom - document.getElementById('log').getBoundingClientRect().top;
}, text);

/** Waits until the log has stood still for a good number of frames. */
const stands = bob => bob.evaluate(async () => {
  const log = document.getElementById('log');
  for (let still = 0, last = null; still < 30; still += 1) {
    const now = `${log.scrollTop} of ${log.scrollHeight}`;
    if (now !== last) still = 0;
    last = now;
    await new Promise(requestAnimationFrame);
  }
});

const count = (bob, wanted) => bob.waitForFunction(number => document.querySelectorAll('.message').length === number, wanted);
const isAtEnd = bob => bob.waitForFunction(() => {
  const log = document.getElementById('log');
  return log.scrollHeight - log.scrollTop - log.clientHeight <= 1;
});
const asked = line => line.seen.filter(frame => frame.type === 'history').length;

withBrowser('scroll', chat => {
  const inLab = () => enterLab(chat, { seq: LAST, history: page(LAST + 1), more: true });

  for (const [name, reach] of Object.entries(WAYS)) {
    test(`${name} to the top loads one page, and what stood there stays in place`, async () => {
      const { bob, line } = await inLab();
      await reach(bob);
      const request = await line.next('history');
      await bob.waitForFunction(() => document.getElementById('log').scrollTop === 0);
      await stands(bob);
      const stood = await topOf(bob, 'line 351');
      line.send(answer(request));
      await count(bob, 100);
      await stands(bob);
      const moved = await topOf(bob, 'line 351') - stood;
      assert.ok(Math.abs(moved) <= 1, `moved by ${moved} px`);
      assert.equal(asked(line), 1);
    });

    test(`${name} to the top of a room that answers at once does not run through all of it`, async () => {
      const { bob, line } = await inLab();
      line.onFrame = frame => frame.type === 'history' && line.send(answer(frame));
      await reach(bob);
      await bob.waitForFunction(() => document.querySelectorAll('.message').length > 50);
      await stands(bob);
      assert.equal(asked(line), 1);
      const top = await topOf(bob, 'line 351');
      assert.ok(top > -300 && top < 600, `line 351 is at ${top} px`);
    });
  }

  test('what is new is marked where it begins, and there is a way back to that, where it stays while one reads', async () => {
    const { bob, line } = await inLab();
    await scrollTo(bob, 400);
    await bob.locator('#jump').waitFor();
    line.send(...lines(LAST + 1, LAST + 40));
    await bob.getByRole('button', { name: '40 new messages' }).click();
    await bob.locator('#jump').waitFor({ state: 'hidden' });
    await isAtEnd(bob);
    const back = bob.getByRole('button', { name: /^40 new since \d/ });
    await back.click();
    await back.waitFor({ state: 'hidden' });
    await stands(bob);
    const stood = await topOf(bob, `line ${LAST + 1}`);
    assert.ok(stood > 0 && stood < 200, `the first of it is at ${stood} px`);
    line.send(message(LAST + 41, 'and one more'));
    await bob.getByRole('button', { name: '1 new message' }).waitFor();
    await stands(bob);
    assert.equal(await bob.locator('.new + .message .text').textContent(), `line ${LAST + 1}`);
    const moved = await topOf(bob, `line ${LAST + 1}`) - stood;
    assert.ok(Math.abs(moved) <= 1, `moved by ${moved} px`);
    // Whoever has been there is not led there again.
    await bob.getByRole('button', { name: '1 new message' }).click();
    await isAtEnd(bob);
    await bob.getByRole('button', { name: /^1 new since \d/ }).waitFor({ state: 'detached' });
    // Whoever writes has read it.
    await bob.getByLabel('Message', { exact: true }).fill('yes');
    await bob.getByLabel('Message', { exact: true }).press('Enter');
    await bob.locator('.new').waitFor({ state: 'detached' });
  });

  test('a gap that is filled goes without a move, also where it is the first row in view', async () => {
    const { bob, line } = await inLab();
    line.send(gap(LAST + 1, LAST + 20), ...lines(LAST + 21, LAST + 60));
    await hear(bob, `line ${LAST + 60}`);
    await bob.locator('#log').evaluate(log => { document.querySelector('.gap').scrollIntoView({ block: 'start' }); });
    await bob.locator('#jump').waitFor();
    const { id } = await line.next('history');
    const stood = await topOf(bob, `line ${LAST + 21}`);
    line.send(history(id, lines(LAST + 1, LAST + 20)));
    await hear(bob, `line ${LAST + 1}`);
    await stands(bob);
    const moved = await topOf(bob, `line ${LAST + 21}`) - stood;
    assert.ok(Math.abs(moved) <= 1, `moved by ${moved} px`);
    assert.equal(await bob.locator('#jump').isVisible(), true);
  });

  test('what is said meanwhile moves nothing, and the way to it leads to the very end', async () => {
    const { bob, line } = await inLab();
    await scrollTo(bob, 400);
    await bob.locator('#jump').waitFor();
    await stands(bob);
    const stood = await topOf(bob, 'line 370');
    line.send(message(LAST + 1, 'a longer line '.repeat(60)), ...lines(LAST + 2, LAST + 5));
    await bob.getByRole('button', { name: '5 new messages' }).waitFor();
    await stands(bob);
    assert.equal(await topOf(bob, 'line 370'), stood);
    await bob.getByRole('button', { name: '5 new messages' }).click();
    await isAtEnd(bob);
    await stands(bob);
    await isAtEnd(bob);
    line.send(message(LAST + 6, 'and one more'));
    await hear(bob, 'and one more');
    await stands(bob);
    await isAtEnd(bob);
    assert.equal(await bob.locator('#jump').isHidden(), true);
  });

  test('rows out of view are not drawn, and nothing moves when they are', async () => {
    // Of very different heights, so that a guess at one would show.
    const told = lines(1, LAST).map((line, index) => ({ ...line, text: 'word '.repeat(1 + index * 37 % 400) }));
    const { bob } = await enterLab(chat, { seq: LAST, history: told });
    // All that have their rows in the page, but for the one at the end and the one before.
    await bob.waitForFunction(() =>
      [...document.querySelectorAll('#rows > .block:not(:empty)')].slice(0, -3).every(block => getComputedStyle(block).contentVisibility === 'auto'));
    await stands(bob);
    const drawn = await bob.evaluate(() => [...document.querySelectorAll('.message .text')]
      .filter(node => node.checkVisibility({ contentVisibilityAuto: true })).length);
    assert.ok(drawn > 0 && drawn < LAST / 4, `${drawn} of ${LAST} are drawn`);
    const heights = await bob.evaluate(async () => {
      const log = document.getElementById('log');
      const seen = new Set([log.scrollHeight]);
      while (log.scrollTop > 0) {
        log.scrollTop -= 1_500;
        await new Promise(requestAnimationFrame);
        await new Promise(requestAnimationFrame);
        seen.add(log.scrollHeight);
      }
      return [...seen];
    });
    assert.equal(heights.length, 1, `the log was ${heights} px high`);
  });

  test('at another width the rows are measured anew', async () => {
    const told = lines(1, LAST).map(line => ({ ...line, text: 'word '.repeat(60) }));
    const { bob } = await enterLab(chat, { seq: LAST, history: told });
    await stands(bob);
    const wide = await bob.locator('#log').evaluate(log => log.scrollHeight);
    await bob.setViewportSize({ width: 420, height: 700 });
    await stands(bob);
    await isAtEnd(bob);
    const narrow = await bob.locator('#log').evaluate(log => log.scrollHeight);
    assert.ok(narrow > 1.5 * wide, `${wide} px, then ${narrow} px`);
    await scrollTo(bob, 0);
    await stands(bob);
    assert.equal(await bob.locator('#log').evaluate(log => log.scrollHeight), narrow);
  });

  test('what is typed, here or elsewhere, does not touch the log', async () => {
    const { bob, line } = await inLab();
    await stands(bob);
    await bob.evaluate(() => {
      const log = document.getElementById('log');
      window.touched = [];
      new MutationObserver(changes => touched.push(...changes.map(change => change.type)))
        .observe(log, { subtree: true, childList: true, attributes: true, characterData: true });
      const { set, get } = Object.getOwnPropertyDescriptor(Element.prototype, 'scrollTop');
      Object.defineProperty(log, 'scrollTop', { get, set(top) { touched.push('scrollTop') && set.call(this, top); } });
    });
    await bob.getByLabel('Message', { exact: true }).pressSequentially('half a thought');
    line.send({ type: 'typing', room: 'LAB', members: [1] });
    await bob.getByText('Ann is typing').waitFor();
    assert.deepEqual(await bob.evaluate(() => touched), []);
    line.send(message(LAST + 1, 'the thought'));
    await hear(bob, 'the thought');
    // And this would have been seen.
    assert.ok(await bob.evaluate(() => touched.includes('childList') && touched.includes('scrollTop')));
  });
}, { serve: serveScript, browsers: EVERY_BROWSER });
