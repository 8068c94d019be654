// What reaches somebody who looks elsewhere: notes, where they are asked for, and a dot on the icon; and how a room is passed on.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EVERY_BROWSER, hear, PHONE, withBrowser } from './chat.mjs';
import { BOB, enterLab, joined, message, serveScript, welcome } from './scripted.mjs';

/** In a page: notes that are kept in place of shown, a browser that answers `window.answer`, and a tab that can be put away. */
function prepare() {
  window.notes = [];
  window.answer = 'granted';
  window.Notification = class {
    static permission = 'default';
    static async requestPermission() {
      Notification.permission = window.answer;
      return window.answer;
    }
    constructor(title, options) {
      this.listeners = {};
      window.notes.push(Object.assign(this, { title, ...options }));
    }
    addEventListener(name, listener) { this.listeners[name] = listener; }
    close() { this.isClosed = true; }
  };
  window.rung = 0;
  window.AudioContext = class {
    currentTime = 0;
    destination = {};
    createGain() { return { gain: { setValueAtTime() {}, exponentialRampToValueAtTime() {} }, connect: next => next }; }
    createOscillator() { return { frequency: {}, connect: next => next, start() { window.rung += 1; }, stop() {} }; }
  };
  // As it is after a reload, too.
  window.isAway = location.protocol === 'http:' && sessionStorage.getItem('away') !== null;
  Object.defineProperty(document, 'hidden', { get: () => window.isAway });
}

const put = (page, isAway) => page.evaluate(away => {
  window.isAway = away;
  document.dispatchEvent(new Event('visibilitychange'));
}, isAway);
const notes = page => page.evaluate(() => window.notes.map(({ title, body }) => [title, body]));
const isDotted = page => page.evaluate(() => document.querySelector('link[rel="icon"]').href.includes('circle'));
const isDottedSoon = (page, wanted) =>
  page.waitForFunction(is => document.querySelector('link[rel="icon"]').href.includes('circle') === is, wanted);

withBrowser('alerts', chat => {
  const inLab = options => enterLab(chat, { history: [message(9, 'nine')] }, { prepare, ...options });
  const button = page => page.getByRole('button', { name: 'Notify me' });

  test('who asks for it is told of what others say while the tab is away, and of nothing else', async () => {
    const { bob, line } = await inLab();
    await put(bob, true);
    line.send(message(11, 'unasked'));
    await bob.waitForFunction(() => document.title.startsWith('(1)'));
    assert.deepEqual(await notes(bob), []);
    await put(bob, false);
    await bob.waitForFunction(() => !document.title.startsWith('('));
    await button(bob).click();
    await bob.getByRole('button', { name: 'Notifications are on' }).waitFor();

    line.send(message(12, 'looked at'));
    await hear(bob, 'looked at');
    await put(bob, true);
    line.send(message(13, 'come back'), message(14, 'own words', BOB));
    await bob.waitForFunction(() => window.notes.length > 0);
    assert.deepEqual(await notes(bob), [['Ann in LAB', 'come back']]);
    assert.equal(await bob.evaluate(() => window.rung), 1);
    // Whatever else happens there meanwhile, it is told once.
    line.send({ type: 'typing', room: 'LAB', members: [1] });
    await bob.getByText('Ann is typing').waitFor();
    assert.equal((await notes(bob)).length, 1);
    // A press on it leads there.
    await bob.evaluate(() => window.notes[0].listeners.click());
    assert.equal(await bob.evaluate(() => window.notes[0].isClosed), true);

    await put(bob, false);
    await bob.getByRole('button', { name: 'Notifications are on' }).click();
    await button(bob).waitFor();
    await put(bob, true);
    line.send(message(15, 'quiet again'));
    await bob.waitForFunction(() => document.title.startsWith('(1)'));
    assert.equal((await notes(bob)).length, 1);
  });

  test('who is there is not told, though they read what was said earlier; nor, after a reload, of what they were told before', async () => {
    const history = Array.from({ length: 60 }, (_, index) => message(index + 1, `line ${index + 1}`));
    const { bob, line } = await enterLab(chat, { seq: 60, history }, { prepare });
    await button(bob).click();
    await bob.getByRole('button', { name: 'Notifications are on' }).waitFor();
    await bob.locator('#log').evaluate(log => { log.scrollTop = 200; });
    await bob.locator('#jump').waitFor();
    line.send(message(61, 'below'));
    await bob.getByRole('button', { name: '1 new message' }).waitFor();
    assert.deepEqual(await notes(bob), []);

    await bob.evaluate(() => sessionStorage.setItem('away', 'yes'));
    await put(bob, true);
    await bob.reload();
    await bob.evaluate(() => { Notification.permission = 'granted'; });
    const again = await chat.server.connection();
    await again.next('hello');
    again.send(welcome());
    const { id } = await again.next('join');
    again.send(joined({ id, seq: 61, history: [...history, message(61, 'below')] }));
    await bob.waitForFunction(() => document.title.startsWith('(1)'));
    assert.deepEqual(await notes(bob), []);
    again.send(message(62, 'and this is new'));
    await bob.waitForFunction(() => window.notes.length > 0);
    assert.deepEqual(await notes(bob), [['Ann in LAB', 'and this is new']]);
  });

  test('a browser that allows none says so, and nothing is on', async () => {
    const { bob } = await inLab();
    await bob.evaluate(() => { window.answer = 'denied'; });
    await button(bob).click();
    await bob.getByText('The browser does not let this page notify you.').waitFor();
    assert.equal(await button(bob).getAttribute('aria-pressed'), 'false');
  });

  test('what is unread puts a dot on the icon of the tab, until it is read', async () => {
    const { bob, line } = await inLab();
    assert.equal(await isDotted(bob), false);
    await put(bob, true);
    line.send(message(11, 'look here'));
    await bob.waitForFunction(() => document.title.startsWith('(1)'));
    await isDottedSoon(bob, true);
    await put(bob, false);
    await bob.waitForFunction(() => !document.title.startsWith('('));
    await isDottedSoon(bob, false);
  });
}, { serve: serveScript, browsers: EVERY_BROWSER });

withBrowser('sharing', chat => {
  /** A page on glass whose browser passes things on by other apps, or fails in it with this error. */
  const inLab = error => enterLab(chat, { topic: 'Tea' }, {
    ...PHONE,
    prepare: `
      window.shared = [];
      navigator.share = async what => {
        window.shared.push(what);
        const name = ${JSON.stringify(error)};
        if (name) throw new DOMException('', name);
      };
      const real = window.matchMedia;
      window.matchMedia = query => query === '(pointer: coarse)' ? { matches: true, addEventListener() {} } : real.call(window, query);
    `,
  });
  const share = bob => bob.getByRole('button', { name: 'Copy link to this room' }).click();
  const toast = bob => bob.locator('#toast-words').textContent();

  test('on glass the link is passed on by other apps', async () => {
    const { bob } = await inLab(null);
    await share(bob);
    await bob.waitForFunction(() => window.shared.length === 1);
    assert.deepEqual(await bob.evaluate(() => window.shared), [{ title: 'LAB', text: 'Tea', url: `${chat.server.url}/#LAB` }]);
    assert.equal(await toast(bob), '');
  });

  test('whoever thinks better of it is not handed a copy; where it does not work they are', async () => {
    const { bob } = await inLab('AbortError');
    await share(bob);
    await bob.waitForFunction(() => window.shared.length === 1);
    await bob.evaluate(() => new Promise(done => { setTimeout(done); }));
    assert.equal(await toast(bob), '');
    const { bob: other } = await inLab('NotAllowedError');
    await share(other);
    await other.getByText(/Link copied|Copying is not allowed here/).waitFor();
  });
}, { serve: serveScript, browsers: EVERY_BROWSER });
