// What a long log costs whoever writes: the work of the page for a key, and for a message from Enter until it is painted. `node cost.mjs [rows]`.

import { chromium } from 'playwright-core';
import { inRoom, tryToEnter } from './chat.mjs';
import { joined, message, serveScript, welcome } from './scripted.mjs';

const ROWS = Number(process.argv[2] ?? 5_000);
const KEYS = 40;
const MESSAGES = 15;

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
const history = Array.from({ length: ROWS }, (_, index) => message(index + 1, `line ${index + 1} of a long talk about nothing much`));
line.send(joined({ id, seq: ROWS, entered: 1, history }));
await inRoom(page, 'LAB');
// As whoever has read back so far: the whole of it is held.
await page.locator('#log').evaluate(log => { log.scrollTop = log.scrollHeight / 2; });
await page.locator('#jump').waitFor();

const devtools = await page.context().newCDPSession(page);
await devtools.send('Performance.setTimeDomain', { timeDomain: 'threadTicks' });
await devtools.send('Performance.enable');
/** Milliseconds that the page has worked so far, of the processor's time: whatever else the machine does is not in it. */
const worked = async () => {
  const { metrics } = await devtools.send('Performance.getMetrics');
  return 1_000 * metrics.find(({ name }) => name === 'TaskDuration').value;
};

// By its id: a search by label looks at every row, and takes longer than all that is measured.
const field = page.locator('#text');
await field.focus();
await page.keyboard.type('warm ');
const before = await worked();
for (let key = 0; key < KEYS; key += 1) await page.keyboard.press('x');
const perKey = (await worked() - before) / KEYS;

const perMessage = [];
for (let number = 1; number <= MESSAGES; number += 1) {
  await page.locator('#log').evaluate(log => { log.scrollTop = log.scrollHeight / 2; });
  await field.fill(`message ${number}`);
  await page.evaluate(() => new Promise(done => { requestAnimationFrame(() => setTimeout(done)); }));
  const start = await worked();
  await page.keyboard.press('Enter');
  await page.waitForFunction(wanted => document.querySelector('#rows > :last-child > :last-child .text').textContent === wanted, `message ${number}`);
  await page.evaluate(() => new Promise(done => { requestAnimationFrame(() => setTimeout(done)); }));
  perMessage.push(await worked() - start);
}
const rows = await page.locator('#rows').evaluate(node => node.querySelectorAll('.message').length);
console.log(`${rows} rows: ${perKey.toFixed(1)} ms of work for a key, ${median(perMessage).toFixed(1)} ms from Enter until it is painted`
  + ` (median of ${MESSAGES}, at most ${Math.max(...perMessage).toFixed(1)}); at a slowdown of 4 the bounds are 4 and 25`);
await browser.close();
server.stop();
