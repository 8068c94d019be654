// What the tests stand on: the server binary, browsers, pages in them, and a plain client to crowd a room with.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { delimiter, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { after, afterEach, before, describe } from 'node:test';
import { chromium, firefox } from 'playwright-core';
import WebSocket from 'ws';
import { endAll, endWithTest, taken } from './begun.mjs';

const HERE = import.meta.dirname;
const SERVER = process.env.CHAT_SERVER ?? resolve(HERE, '../../target/release/server');
const PAGE = resolve(HERE, '../../examples/page');
/** `CHAT_PAGE_FROM_DISK=1` tries the page as it is in the folder, without building the server anew. */
const FROM_DISK = Boolean(process.env.CHAT_PAGE_FROM_DISK);
const CHROMIUM_FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync'];
/** The browsers as distributions ship them. */
const CHROMIUM = {
  name: 'Chromium', files: ['chromium'],
  launch: executablePath => chromium.launch({ executablePath, args: CHROMIUM_FLAGS }),
};
/** Driven over WebDriver BiDi. It is told of a mouse, which machines without a screen do not have. */
const FIREFOX = {
  name: 'Firefox', files: ['firefox-esr', 'firefox'],
  launch: executablePath => firefox.launch({
    executablePath, channel: 'moz-firefox', firefoxUserPrefs: { 'ui.primaryPointerCapabilities': 6, 'ui.allPointerCapabilities': 6 },
  }),
};
/** For tests of what browsers do each in their own way: layout, scrolling, focus and keys. */
export const EVERY_BROWSER = [CHROMIUM, FIREFOX];
/** For the others, which would take five minutes more; `CHAT_EVERY_BROWSER=1` runs them in all, too. */
const BROWSERS = process.env.CHAT_EVERY_BROWSER ? EVERY_BROWSER : [CHROMIUM];
/** What the page is made of, wherever it is mounted: what it loads, and itself; not what ends alike and goes to the chat. */
const OF_THE_PAGE = /^[^?#]*\/page\/|^(?!.*\/socket\.io\/)[^?#]*\/(\?.*)?$/;
/** Longer than any condition takes; reached only when one never comes true. */
export const PATIENCE_MS = 15_000;
/** How browsers put it that a WebSocket was cut or refused. */
const LOST = /WebSocket connection to|(connection to|with) the server at ws:|connection to ws:/;
export const PHONE = { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true };

/** Where a program of one of these names is, or nothing. */
const pathOf = files => ['/usr/bin', ...(process.env.PATH ?? '').split(delimiter)]
  .flatMap(dir => files.map(file => join(dir, file))).find(path => existsSync(path));

/**
 * Tests with a browser, once in each of `browsers`. `use(chat)` declares them; `chat.open(path, options)` opens a page of somebody
 * new, and `chat.browserName` says in which browser. Under CI a browser that is not installed fails its tests.
 */
export function withBrowser(name, use, { serve = startServer, browsers = BROWSERS } = {}) {
  for (const browser of browsers) inBrowser(browser, name, use, serve);
}

function inBrowser({ name: browserName, files, launch }, name, use, serve) {
  const path = pathOf(files);
  if (!path && process.env.CI === 'true') throw new Error(`${files[0]} is not installed, and CI must not skip these tests`);
  const skip = path ? false : `${files[0]} is not installed: its tests are skipped`;
  describe(`${name}, in ${browserName}`, { skip }, () => {
    const chat = { pages: [], browserName };
    before(async () => {
      chat.server = await serve();
      chat.ends = taken();
      chat.browser = await launch(path);
      chat.open = (address, options) => openPage(chat, address, options);
    });
    afterEach(async () => {
      const pages = chat.pages.splice(0);
      await Promise.allSettled(pages.map(page => page.context().close()));
      await endAll();
      for (const page of pages) assert.deepEqual(page.problems, [], 'errors in the console of a page');
    });
    after(async () => {
      await chat.browser?.close();
      await endAll([...chat.ends ?? [], ...taken()]);
    });
    use(chat);
  });
}

/** Starts the server binary on a port of its own (or on `port`), without rate limits. It ends with the test at the latest. */
export async function startServer({ port = null, flags = ['--send-rate', '0', '--sessions-per-address', '0'] } = {}) {
  if (!existsSync(SERVER)) throw new Error(`there is no server at ${SERVER}: build it, or name it in CHAT_SERVER`);
  const listen = `127.0.0.1:${port ?? await freePort()}`;
  const child = spawn(SERVER, ['--listen', listen, ...flags], { stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = new Promise(done => child.once('exit', done));
  const stop = () => {
    child.kill('SIGKILL');
    return ended;
  };
  endWithTest(stop);
  const lines = [];
  await new Promise((ready, fail) => {
    const hear = line => lines.push(line) && line.includes(`http://${listen}`) && ready();
    createInterface({ input: child.stdout }).on('line', hear);
    createInterface({ input: child.stderr }).on('line', hear);
    child.once('error', fail);
    ended.then(code => fail(new Error(`the server ended with ${code} before it was ready:\n${lines.join('\n')}`)));
  });
  return {
    url: `http://${listen}`,
    port: Number(listen.split(':')[1]),
    /** Asks it to go down in good order, and waits until it has. */
    drain() {
      child.kill('SIGTERM');
      return ended;
    },
    stop,
  };
}

export function freePort() {
  return new Promise((done, fail) => {
    const probe = createServer().once('error', fail).listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => done(port));
    });
  });
}

/**
 * A page of its own person, or with what another one saved; what goes wrong in its console is in `page.problems`. `prepare()` runs in it before
 * its own scripts.
 */
async function openPage(chat, path = '/', { url = chat.server.url, context = null, session = null, prepare = null, ...options } = {}) {
  const place = context ?? await chat.browser.newContext({ locale: 'en-GB', ...options });
  const page = await place.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  page.problems = [];
  // Firefox tells of a lost connection as of an error of no name.
  page.on('pageerror', error => (error.name === '' && LOST.test(String(error))) || page.problems.push(String(error)));
  page.on('dialog', dialog => page.problems.push(`dialog: ${dialog.message()}`) && dialog.dismiss());
  page.on('console', message => {
    // The browser itself reports what is cut or refused on the way to the chat; tests that do so mean it.
    const lost = message.text().startsWith('Failed to load resource') && /\/(sse|socket\.io|lobby)\b/.test(message.location().url);
    const meant = LOST.test(message.text()) || lost;
    if (['error', 'warning'].includes(message.type()) && !meant) page.problems.push(message.text());
  });
  chat.pages.push(page);
  if (FROM_DISK && chat.server.port) await page.route(OF_THE_PAGE, fromDisk);
  if (session) await page.addInitScript(saved => {
    // Firefox runs it in the empty page before this one, too, which has no storage.
    if (location.protocol === 'http:') sessionStorage.setItem('chat.client', saved);
  }, session);
  if (prepare) await page.addInitScript(prepare);
  await page.goto(url + path);
  return page;
}

/** Sends what the server would, as the folder has it now. */
async function fromDisk(route) {
  const path = new URL(route.request().url()).pathname;
  const file = path.endsWith('/') ? 'index.html' : path.replace(/^.*\/page\//, '');
  const { headers } = await fetch(new URL(path, route.request().url()));
  const policy = headers.get('content-security-policy');
  await route.fulfill({ path: join(PAGE, file), headers: policy ? { 'content-security-policy': policy } : {} });
}

/** Opens the menu of the message with exactly this text, by keyboard, and chooses in it. */
export async function chooseFor(page, text, name) {
  await page.locator('.message').filter({ has: page.getByText(text, { exact: true }) }).last().press('Enter');
  await page.getByRole('menuitem', { name }).click();
}

/** Fills in the form to make a room; answers its code. */
export async function create(page, nick, name = '') {
  await page.getByLabel('Your name', { exact: true }).fill(nick);
  await page.getByLabel('Room name').fill(name);
  await page.getByRole('button', { name: 'Create room' }).click();
  await inRoom(page, name.toUpperCase());
  return page.locator('#room-code').textContent();
}

/** Fills in the form to join a room, and waits for the room. */
export async function enter(page, nick, code) {
  await tryToEnter(page, nick, code);
  await inRoom(page, code);
}

export async function tryToEnter(page, nick, code) {
  await page.getByLabel('Your name', { exact: true }).fill(nick);
  await page.getByLabel('Room code', { exact: true }).fill(code);
  await page.getByRole('button', { name: 'Join' }).click();
}

/** Waits until the page shows this room, and is in it. */
export async function inRoom(page, code) {
  await page.waitForFunction(wanted => {
    const shown = document.querySelector('#room:not([hidden]) #room-code')?.textContent ?? '';
    return shown !== '' && (wanted === '' || shown === wanted) && document.querySelector('.member') !== null;
  }, code);
}

/** Waits until the page is connected over this transport (`WebSocket`, `SSE + POST` or `Socket.IO`). */
export async function over(page, name) {
  await page.waitForFunction(wanted => document.querySelector('#connection').dataset.state === 'open'
    && document.querySelector('#connection .transport-button .name').textContent === wanted, name);
}

/** Chooses a transport in the menu. */
export async function choose(page, name) {
  await page.getByRole('button', { name: /^Transport:/ }).click();
  await page.getByRole('group', { name: 'Transport' }).getByRole('button')
    .filter({ has: page.getByText(name, { exact: true }) }).click();
}

/** Writes a message and sends it. */
export async function say(page, text) {
  const field = page.getByLabel('Message', { exact: true });
  await field.fill(text);
  // On glass that key makes a new line.
  if (await field.getAttribute('enterkeyhint') === 'enter') await page.getByRole('button', { name: 'Send', exact: true }).click();
  else await field.press('Enter');
}

/** Waits for a message with exactly this text, from the server. */
export async function hear(page, text) {
  await page.waitForFunction(wanted => [...document.querySelectorAll('.message[data-state=told] .text')]
    .some(node => node.textContent === wanted), text);
}

/** Waits for a notice with these words, for the `times`th time. */
export function notice(page, words, times = 1) {
  return page.locator('.notice', { hasText: words }).nth(times - 1).waitFor();
}

/** The texts of all messages on screen, in order. */
export const messages = page => page.locator('.message .text').allTextContents();

/** The words of all notices on screen, in order. */
export const notices = page => page.locator('.notice > span').allTextContents();

/** A person without a page: `request(frame)` answers with the answer. */
export async function connectClient(url) {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/ws`, 'chat.v1');
  const waiting = new Map();
  let id = 0;
  socket.on('message', data => {
    const frame = JSON.parse(data);
    waiting.get(frame.id)?.(frame);
    waiting.delete(frame.id);
  });
  endWithTest(() => socket.terminate());
  await new Promise((open, fail) => socket.once('open', open).once('error', fail));
  return {
    request(frame) {
      id += 1;
      const answer = new Promise((done, fail) => {
        const inVain = setTimeout(() => fail(new Error(`no answer to ${frame.type}`)), PATIENCE_MS);
        waiting.set(id, told => {
          clearTimeout(inVain);
          done(told);
        });
      });
      socket.send(JSON.stringify({ ...frame, id }));
      return answer;
    },
    close: () => socket.close(),
  };
}
