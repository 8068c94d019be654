// What a long log costs whoever writes: the work of the page for a key, and for a message from Enter until it is painted.
// `node cost.mjs [rows] [--slowdown times] [--trace file]`; with a slowdown it says whether the bounds of the page are kept, and a trace is for
// the browser's own tools (and makes everything slower).

import { parseArgs } from 'node:util';
import { chromium } from 'playwright-core';
import { inRoom, tryToEnter } from './chat.mjs';
import { history, joined, message, serveScript, welcome } from './scripted.mjs';

const { values, positionals } = parseArgs({ allowPositionals: true, options: { slowdown: { type: 'string', default: '1' }, trace: { type: 'string' } } });
const ROWS = Number(positionals[0] ?? 5_000);
const SLOWDOWN = Number(values.slowdown);
const KEYS = 40;
const MESSAGES = 9;
/** Longer than the page waits with what nobody waits for. */
const LET_GO_MS = 700;
/** What a browser four times slower than this one may take, in milliseconds. */
const BOUNDS = { key: 16, enter: 100 };
/** What is told of the work: milliseconds of the processor's time, and how often. */
const DURATIONS = ['TaskDuration', 'ScriptDuration', 'RecalcStyleDuration', 'LayoutDuration'];
const COUNTS = ['LayoutCount', 'RecalcStyleCount'];

const median = numbers => numbers.toSorted((a, b) => a - b)[numbers.length >> 1];

const server = await serveScript();
const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });
const page = await browser.newPage({ locale: 'en-GB', viewport: { width: 1280, height: 800 } });
await page.goto(server.url);
const line = await server.connection();
await line.next('hello');
line.send(welcome());
await tryToEnter(page, 'Bob', 'lab');
const { id } = await line.next('join');
let last = ROWS;
const told = (from, to) => Array.from({ length: to - from + 1 }, (_, index) => message(from + index, `line ${from + index} of a long talk about nothing much`));
line.onFrame = frame => {
  if (frame.type === 'history') line.send(history(frame.id, told(Math.max(1, last - ROWS + 1), frame.before - 1), { more_before: true }));
};
line.send(joined({ id, seq: last, entered: 1, history: told(last - 49, last), more: true }));
await inRoom(page, 'LAB');

const devtools = await page.context().newCDPSession(page);
await devtools.send('Performance.setTimeDomain', { timeDomain: 'threadTicks' });
await devtools.send('Performance.enable');
/** What the page has worked so far, of the processor's time: whatever else the machine does is not in it. */
const worked = async () => Object.fromEntries((await devtools.send('Performance.getMetrics')).metrics.map(({ name, value }) => [name, value]));
const painted = () => page.evaluate(() => new Promise(done => { requestAnimationFrame(() => setTimeout(done)); }));
const slow = rate => devtools.send('Emulation.setCPUThrottlingRate', { rate });

/** As whoever has read back so far: the whole of it is held. What is written leads to the end, where less is. */
async function readBack() {
  await slow(1);
  const log = page.locator('#log');
  await log.evaluate(node => { node.scrollTop = 0; });
  // No row is as low as that, and what is far from the view is no more than its height.
  await page.waitForFunction(least => document.querySelector('#log').ariaBusy !== 'true' && document.querySelector('#log').scrollHeight > least, ROWS * 20);
  await log.evaluate(node => { node.scrollTop = node.scrollHeight / 2; });
  await page.locator('#jump').waitFor();
  for (let frame = 0; frame < 30; frame += 1) await painted();
  await slow(SLOWDOWN);
}

/** What `act` makes the page work, told by the kind of work. */
async function measured(act) {
  const before = await worked();
  await act();
  const now = await worked();
  return Object.fromEntries([...DURATIONS, ...COUNTS].map(name =>
    [name, (now[name] - before[name]) * (DURATIONS.includes(name) ? 1_000 : 1)]));
}

const parts = one => DURATIONS.slice(1).map(name => `${name.replace('Duration', '').toLowerCase()} ${one[name].toFixed(1)}`)
  .concat(COUNTS.map(name => `${one[name].toFixed(1)} ${name === COUNTS[0] ? 'layouts' : 'styles'}`)).join(', ');

await readBack();
const shown = await page.evaluate(() => ({ rows: document.querySelectorAll('#rows .message').length, nodes: document.querySelectorAll('#rows *').length }));
// By its id: a search by label looks at every row, and takes longer than all that is measured.
const field = page.locator('#text');
await field.focus();
await page.keyboard.type('warm ');
if (values.trace) await browser.startTracing(page, { path: values.trace });
const keys = await measured(async () => {
  for (let key = 0; key < KEYS; key += 1) await page.keyboard.press('x');
  await painted();
});
for (const name of Object.keys(keys)) keys[name] /= KEYS;

/** Done as soon as the last row says this and is painted: no question from outside makes the page work meanwhile. */
const expect = words => page.evaluate(wanted => {
  const rows = document.querySelector('#rows');
  const isThere = () => rows.querySelector(':scope > :last-child > :last-child .text')?.textContent === wanted;
  window.shown = new Promise(done => {
    new MutationObserver((_, watching) => {
      if (!isThere()) return;
      watching.disconnect();
      setTimeout(done);
    }).observe(rows, { childList: true, subtree: true });
  });
}, words);

const heard = [];
const sent = [];
const settled = [];
for (let number = 1; number <= MESSAGES; number += 1) {
  await readBack();
  heard.push(await measured(async () => {
    line.send(message(last += 1, `heard ${number}`));
    await page.waitForFunction(words => document.querySelector('#jump').textContent === words, '1 new message', { polling: 20 });
    await painted();
  }));
  await field.fill(`message ${number}`);
  await expect(`message ${number}`);
  await painted();
  settled.push(await measured(async () => {
    sent.push(await measured(async () => {
      await page.keyboard.press('Enter');
      await page.evaluate(() => window.shown);
    }));
    // And what is too much is let go, a moment after one has come to the end.
    await page.evaluate(ms => new Promise(done => { setTimeout(done, ms); }), LET_GO_MS);
    for (let frame = 0; frame < 4; frame += 1) await painted();
  }));
  const { id: asked, key } = line.seen.findLast(({ type }) => type === 'send');
  last += 1;
  line.send({ type: 'ack', id: asked, room: 'LAB', seq: last, at: new Date().toISOString() }, message(last, `message ${number}`, { member: 2, nick: 'Bob', color: 4 }, key));
  await page.waitForFunction(() => document.querySelector('#rows > :last-child > :last-child').dataset.state === 'told', null, { polling: 20 });
}
if (values.trace) await browser.stopTracing();

const middle = (all, name = 'TaskDuration') => median(all.map(one => one[name]));
const whole = all => Object.fromEntries([...DURATIONS, ...COUNTS].map(name => [name, middle(all, name)]));
const most = all => Math.max(...all.map(one => one.TaskDuration)).toFixed(1);
console.log(`${ROWS} messages, ${shown.rows} of them in the page with ${shown.nodes} elements, at a slowdown of ${SLOWDOWN}; milliseconds of work:`);
console.log(`  a key: ${keys.TaskDuration.toFixed(1)} (${parts(keys)})`);
console.log(`  heard while one reads: ${middle(heard).toFixed(1)}, at most ${most(heard)} (${parts(whole(heard))})`);
console.log(`  from Enter until it is painted: ${middle(sent).toFixed(1)}, at most ${most(sent)} (${parts(whole(sent))})`);
console.log(`  and until all is done that it brings about: ${middle(settled).toFixed(1)}, at most ${most(settled)} (${parts(whole(settled))})`);
if (SLOWDOWN > 1) {
  const isKept = keys.TaskDuration <= BOUNDS.key && middle(sent) <= BOUNDS.enter;
  console.log(`  at a slowdown of 4 at most ${BOUNDS.key} and ${BOUNDS.enter} are wanted: ${isKept ? 'kept' : 'missed'}`);
}
await browser.close();
server.stop();
