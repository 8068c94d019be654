// From an answer to what it answers: by a press on the quote, through what has to be loaded on the way.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EVERY_BROWSER, hear, withBrowser } from './chat.mjs';
import { BOB, enterLab, history, message, serveScript } from './scripted.mjs';

const LAST = 900;
const lines = (from, to) => Array.from({ length: to - from + 1 }, (_, index) => message(from + index, `line ${from + index}`));
const answer = (seq, text, target) => ({ ...message(seq, text, BOB), reply_to: target });

withBrowser('answers', chat => {
  const inLab = () => enterLab(chat, { seq: LAST, history: lines(LAST - 49, LAST), more: true });
  const focused = bob => bob.evaluate(() => document.activeElement.querySelector('.text')?.textContent);
  const ask = (bob, text) => bob.locator('.message').filter({ hasText: text }).locator('.reply').click();
  const isInView = (bob, text) => bob.getByText(text, { exact: true }).evaluate(node => {
    const [own, log] = [node.getBoundingClientRect(), document.getElementById('log').getBoundingClientRect()];
    return own.top >= log.top && own.bottom <= log.bottom;
  });
  const marked = bob => bob.waitForFunction(() => document.querySelector('.message.found') === document.activeElement);

  test('a press on the quote leads to the message, and marks it', async () => {
    const { bob, line } = await inLab();
    line.send(answer(LAST + 1, 'I think so, too', LAST - 40));
    await hear(bob, 'I think so, too');
    await ask(bob, 'I think so, too');
    await marked(bob);
    assert.equal(await focused(bob), `line ${LAST - 40}`);
    assert.ok(await isInView(bob, `line ${LAST - 40}`));
    assert.equal(line.seen.filter(({ type }) => type === 'history').length, 0);
    await bob.locator('.message.found').waitFor({ state: 'detached' });
  });

  test('the quote is reached by keyboard', async () => {
    const { bob, line } = await inLab();
    line.send(answer(LAST + 1, 'I think so, too', LAST - 40));
    await hear(bob, 'I think so, too');
    await bob.locator('.message').last().focus();
    await bob.keyboard.press('Tab');
    await bob.keyboard.press('Enter');
    await marked(bob);
    assert.equal(await focused(bob), `line ${LAST - 40}`);
  });

  test('what is not loaded is loaded until it is there, and the lines one reads stand still until then', async () => {
    const { bob, line } = await inLab();
    line.send(answer(LAST + 1, 'long ago', 300));
    await hear(bob, 'long ago');
    const topOf = () => bob.locator('.message .text', { hasText: /^long ago$/ }).evaluate(node => node.getBoundingClientRect().top);
    const stood = await topOf();
    await ask(bob, 'long ago');
    const first = await line.next('history');
    assert.deepEqual([first.before, first.limit], [LAST - 49, 200]);
    line.send(history(first.id, lines(LAST - 249, LAST - 50)));
    const second = await line.next('history');
    assert.ok(Math.abs(await topOf() - stood) <= 1, 'it moved');
    line.send(history(second.id, lines(LAST - 449, LAST - 250)));
    const third = await line.next('history');
    line.send(history(third.id, lines(251, LAST - 450)));
    await marked(bob);
    assert.equal(await focused(bob), 'line 300');
    assert.ok(await isInView(bob, 'line 300'));
    await bob.getByRole('button', { name: 'To the newest' }).click();
    await bob.waitForFunction(() => document.getElementById('jump').hidden);
  });

  test('a message that is not there any more is said to be so', async () => {
    const { bob, line } = await inLab();
    line.send(answer(LAST + 1, 'who knows', 300));
    await hear(bob, 'who knows');
    await ask(bob, 'who knows');
    const { id } = await line.next('history');
    line.send(history(id, lines(LAST - 99, LAST - 50), { more_before: false }));
    await bob.getByText('That message can no longer be seen.').waitFor();
    assert.equal(line.seen.filter(({ type }) => type === 'history').length, 1);
  });

  test('whoever scrolls on meanwhile is not led away', async () => {
    const { bob, line } = await inLab();
    line.send(answer(LAST + 1, 'long ago', 300));
    await hear(bob, 'long ago');
    await ask(bob, 'long ago');
    const { id } = await line.next('history');
    await bob.locator('#log').evaluate(log => { log.scrollTop -= 400; });
    await bob.locator('#jump').waitFor();
    await bob.evaluate(() => new Promise(requestAnimationFrame));
    line.send(history(id, lines(251, LAST - 50)));
    await bob.locator('#log[aria-busy=false]').waitFor();
    assert.equal(await bob.locator('.found').count(), 0);
  });
}, { serve: serveScript, browsers: EVERY_BROWSER });
