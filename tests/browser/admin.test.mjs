// The operator's page, on a listener of its own: who may see it, what it shows, what it does, and by keyboard alone.

import assert from 'node:assert/strict';
import { createHmac, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import WebSocket from 'ws';
import { freePort, PATIENCE_MS, PHONE, startServer, withBrowser } from './chat.mjs';

const TOKEN = 'not-to-be-guessed-7';
/** What the tokens of people are signed with. */
const SECRET = randomBytes(32).toString('hex');

/** A token that says who somebody is. */
function passOf(identity) {
  const part = value => Buffer.from(JSON.stringify(value)).toString('base64url');
  const said = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ sub: identity, exp: Math.floor(Date.now() / 1000) + 3600 })}`;
  return `${said}.${createHmac('sha256', SECRET).update(said).digest('base64url')}`;
}

/** A server with a listener for operators, who have to show the token; it knows people by tokens, and guests come in too. */
async function serveOperators() {
  const port = await freePort();
  process.env.CHAT_ADMIN_TOKEN = TOKEN;
  const folder = mkdtempSync(join(tmpdir(), 'chat-admin-'));
  writeFileSync(join(folder, 'key'), SECRET);
  const known = ['--jwt-key', join(folder, 'key')];
  const flags = ['--send-rate', '0', '--sessions-per-address', '0', '--admin', String(port), '--admin-name', 'Operator', ...known];
  const server = await startServer({ flags });
  const stop = () => {
    rmSync(folder, { recursive: true, force: true });
    return server.stop();
  };
  return { ...server, stop, admin: `http://127.0.0.1:${port}` };
}

/** Somebody in a room, over a plain WebSocket, who may show who they are; `told` is every frame. */
async function guest(chat, room, nick, type = 'join', identity = null) {
  const socket = new WebSocket(`${chat.server.url.replace('http', 'ws')}/ws`, ['chat.v1']);
  const person = { told: [], socket, say: text => socket.send(JSON.stringify({ type: 'send', id: 2, room, text })) };
  await new Promise((done, fail) => {
    socket.on('open', () => {
      if (identity) socket.send(JSON.stringify({ type: 'hello', token: passOf(identity) }));
      socket.send(JSON.stringify({ type, id: 1, room, nick }));
    });
    socket.on('error', fail);
    socket.on('message', text => {
      const frame = JSON.parse(text);
      person.told.push(frame);
      if (frame.type === 'joined') done();
    });
  });
  return person;
}

/** What tests of the page share: rooms with people in them, and the page with the token shown. */
function stage(chat) {
  let code = 0;

  /** A room of its own with Ann, its owner, and Bob. */
  async function room(t) {
    code += 1;
    const name = `ROOM-${code}`;
    const ann = await guest(chat, name, 'Ann', 'create');
    const bob = await guest(chat, name, 'Bob');
    t.after(() => [ann, bob].forEach(person => person.socket.close()));
    return { name, ann, bob };
  }

  /** `prepare(page)` is done before anything but the page itself is there. */
  async function signIn({ prepare, ...options } = {}) {
    const page = await chat.open('/', { url: chat.server.admin, ...options });
    await prepare?.(page);
    await page.getByLabel('Token', { exact: true }).fill(TOKEN);
    await page.getByRole('button', { name: 'Go on' }).click();
    await page.getByText('Connected', { exact: true }).waitFor();
    meant(page);
    return page;
  }

  /** The browser tells of each answer that refuses something; here it is asked for. */
  function meant(page) {
    page.problems = page.problems.filter(problem => !/status of (401|404)/.test(problem));
  }

  /** Waits until something is so that no page shows. */
  const waitFor = async (page, isSo) => {
    const until = Date.now() + PATIENCE_MS;
    while (!isSo()) {
      assert.ok(Date.now() < until, 'it never came true');
      await page.waitForTimeout(20);
    }
  };
  /** Waits for a frame that somebody is told. */
  const hear = (page, person, wanted) => waitFor(page, () => person.told.some(wanted));

  const openRoom = async (page, name) => {
    await page.getByLabel('Code', { exact: true }).fill(name.toLowerCase());
    await page.getByRole('button', { name: 'Open', exact: true }).click();
    await page.getByRole('heading', { name, exact: true }).waitFor();
  };

  return { room, signIn, meant, waitFor, hear, openRoom, nextCode: () => `MADE-${code += 1}` };
}

withBrowser('operator', chat => {
  const { room, signIn, meant, waitFor, hear, openRoom } = stage(chat);

  test('nothing is shown without the token, and it is kept for the tab alone', async t => {
    const { name } = await room(t);
    const page = await chat.open('/', { url: chat.server.admin });
    await page.getByRole('heading', { name: 'Admin token' }).waitFor();
    assert.equal(await page.getByText(name).count(), 0);
    await page.keyboard.press('Escape');
    await page.getByLabel('Token', { exact: true }).fill('not-the-right-one');
    await page.keyboard.press('Enter');
    await page.getByText('This is not the token.').waitFor();
    await page.getByLabel('Token', { exact: true }).fill(TOKEN);
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name }).waitFor();
    assert.equal(await page.evaluate(() => document.cookie + JSON.stringify({ ...localStorage }) + location.search), '{}');
    await page.reload();
    await page.getByRole('button', { name }).waitFor();
    await page.getByRole('button', { name: 'Forget token' }).click();
    await page.getByRole('heading', { name: 'Admin token' }).waitFor();
    assert.equal(await page.getByRole('button', { name, includeHidden: true }).count(), 0);
    meant(page);
  });

  test('members are put out and kept out, and the room hears the operator', async t => {
    const { name, ann, bob } = await room(t);
    const page = await signIn();
    await openRoom(page, name);
    bob.say('spam <b>spam</b>');
    await page.getByText('spam <b>spam</b>').waitFor();

    await page.getByLabel('Message', { exact: true }).fill('Be kind.');
    await page.getByRole('button', { name: 'Say' }).click();
    await hear(page, ann, frame => frame.type === 'message' && frame.host && frame.nick === 'Operator' && frame.text === 'Be kind.');

    await page.getByRole('button', { name: /^Take back message \d+ of Bob/ }).click();
    await hear(page, ann, frame => frame.type === 'redacted');

    await page.getByRole('button', { name: 'Kick Bob' }).click();
    await hear(page, bob, frame => frame.type === 'member_left' && frame.reason === 'kicked');
    await page.getByText('Member 2 was put out.').waitFor();

    const eve = await guest(chat, name, 'Eve');
    t.after(() => eve.socket.close());
    await page.getByRole('button', { name: 'Ban Eve' }).click();
    await page.getByLabel('Minutes', { exact: true }).fill('10');
    await page.getByRole('button', { name: 'Ban', exact: true }).click();
    await page.getByText(/Eve · until/).waitFor();
    await page.getByRole('button', { name: 'Let Eve in' }).click();
    await page.getByText('Nobody is.', { exact: true }).first().waitFor();

    await page.getByRole('button', { name: 'Close room' }).click();
    await page.getByRole('button', { name: 'Cancel' }).click();
    await page.getByRole('heading', { name, exact: true }).waitFor();
    await page.getByRole('button', { name: 'Close room' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Close room' }).click();
    await hear(page, ann, frame => frame.type === 'room_closed');
    await page.getByRole('button', { name }).waitFor({ state: 'detached' });
    await page.getByLabel('Code', { exact: true }).fill(name);
    await page.getByRole('button', { name: 'Open', exact: true }).click();
    await page.getByText(`There is no room ${name}.`).waitFor();
    meant(page);
  });

  test('all is done by keyboard', async t => {
    const { name, ann } = await room(t);
    const page = await signIn();
    const press = async (wanted, times = 60) => {
      for (let step = 0; step < times; step += 1) {
        await page.keyboard.press('Tab');
        const at = await page.evaluate(() => document.activeElement.getAttribute('aria-label')
          ?? (document.activeElement.labels?.[0] ?? document.activeElement).textContent.trim());
        if (at.startsWith(wanted)) return;
      }
      assert.fail(`${wanted} is not reached`);
    };
    await press('Code');
    await page.keyboard.type(name);
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => document.activeElement.id === 'room-title');
    await press('Message');
    await page.keyboard.type('hello');
    await page.keyboard.press('Enter');
    await hear(page, ann, frame => frame.type === 'message' && frame.text === 'hello');
    await press('Kick Bob');
    await page.keyboard.press('Enter');
    await hear(page, ann, frame => frame.type === 'member_left' && frame.reason === 'kicked');
    await page.keyboard.press('Shift+Tab');
    await press('Close room', 120);
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'hidden' });
  });

  test('without its database a server is not out of sight, and the head says how it is', async t => {
    const { name } = await room(t);
    const refuse = (status, code, message) => route => route.fulfill({ status, json: { code, message } });
    const page = await signIn({ prepare: it => it.route(/\/rooms\?/, refuse(503, 'unavailable', 'the log is away')) });
    await page.getByText('the log is away').waitFor();
    const drawn = () => page.evaluate(() => document.querySelector('.chart path:last-of-type').getAttribute('d'));
    const goesOn = async () => {
      const before = await drawn();
      await page.waitForFunction(was => document.querySelector('.chart path:last-of-type').getAttribute('d') !== was, before);
    };
    await goesOn();
    await openRoom(page, name);
    await page.getByText('the log is away').waitFor();

    // Rooms that are waited for hold nothing up.
    const held = [];
    await page.route(/\/rooms\?/, route => held.push(route));
    await waitFor(page, () => held.length > 0);
    await goesOn();
    await goesOn();
    assert.equal(held.length, 1);
    await held[0].continue();
    await page.unroute(/\/rooms\?/);
    await page.getByRole('button', { name }).waitFor();
    await page.getByText('the log is away').waitFor({ state: 'detached' });

    const head = words => page.getByText(words, { exact: true }).and(page.locator('#state')).waitFor();
    await page.route(/\/status$/, refuse(502, 'unknown', 'nobody is behind the proxy'));
    await head('Not connected');
    await page.getByText('nobody is behind the proxy').waitFor();
    await page.route(/\/status$/, route => route.abort());
    await head('The server does not answer');
    await page.unroute(/\/status$/);
    await head('Connected');
    await page.getByText('nobody is behind the proxy').waitFor({ state: 'detached' });
    page.problems = page.problems.filter(problem => !/status of 50[23]|net::ERR_FAILED|NetworkError/.test(problem));
  });

  test('a phone is wide enough, and rates are drawn', async t => {
    const { name, bob } = await room(t);
    const page = await signIn(PHONE);
    await openRoom(page, name);
    bob.say('long'.repeat(200));
    await page.getByText('longlong').waitFor();
    await page.waitForFunction(() => [...document.querySelectorAll('.chart')].length === 6
      && [...document.querySelectorAll('.chart path:last-of-type')].every(path => path.getAttribute('d')));
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
  });
}, { serve: serveOperators });

// With a server of its own: the listener has 16 connections, and Firefox keeps those of pages that are gone for minutes.
withBrowser('operator of rooms and people', chat => {
  const { room, signIn, hear, openRoom, nextCode } = stage(chat);

  test('rooms are made, kept and let go of', async t => {
    const name = nextCode();
    const page = await signIn();
    await page.getByText('New room').click();
    await page.getByLabel('Its code').fill(name.toLowerCase());
    await page.getByLabel('Topic').fill('Tea <b>at four</b>');
    await page.getByLabel('Shown in the lobby').check();
    await page.getByRole('button', { name: 'Make room' }).click();
    await page.getByRole('heading', { name, exact: true }).waitFor();
    await page.locator('#topic').getByText('Tea <b>at four</b>').waitFor();
    await page.locator('#facts').getByText(/listed · kept/).waitFor();
    const { rooms } = await (await fetch(`${chat.server.url}/lobby`)).json();
    assert.ok(rooms.includes(name));

    // The same code again is refused in words.
    await page.getByText('New room').click();
    await page.getByLabel('Its code').fill(name);
    await page.getByRole('button', { name: 'Make room' }).click();
    await page.locator('#failed').getByText(/./).waitFor();
    page.problems = page.problems.filter(problem => !/status of 409/.test(problem));

    const ann = await guest(chat, name, 'Ann');
    t.after(() => ann.socket.close());
    await page.getByRole('button', { name: 'Let go' }).click();
    await page.getByRole('button', { name: 'Cancel' }).click();
    await page.getByRole('button', { name: 'Let go' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Let go' }).click();
    await page.getByText(`${name} goes with its last member.`).waitFor();
    await page.getByRole('button', { name: 'Keep', exact: true }).click();
    await page.getByText(`${name} is kept while nobody is in it.`).waitFor();
    await page.getByRole('button', { name: 'Let go' }).waitFor();
    assert.ok(!ann.told.some(frame => frame.type === 'room_closed'));
  });

  test('people are added, looked for, restricted and sent away', async t => {
    const { name } = await room(t);
    const other = await room(t);
    const eve = 'eve <1>';
    const zoe = await guest(chat, other.name, 'Zoe', 'join', eve);
    const page = await signIn();
    await openRoom(page, name);
    const add = async (identity, nick) => {
      await page.locator('#add-identity').fill(identity);
      await page.locator('#add-nick').fill(nick);
      await page.getByRole('button', { name: 'Add', exact: true }).click();
    };
    await add(eve, 'Zoe');
    await page.getByText(`${eve} is in the room, with 1 session.`).waitFor();
    await hear(page, zoe, frame => frame.type === 'joined' && frame.room === name);
    await add('nobody', 'Max');
    await page.getByText(/^nobody is not connected, and may come in once until/).waitFor();

    await page.locator('#find-identity').fill(eve);
    await page.getByRole('button', { name: 'Look' }).click();
    await page.getByRole('heading', { name: eve }).waitFor();
    const sessions = page.locator('#person-sessions > li');
    await sessions.getByRole('button', { name, exact: true }).waitFor();
    assert.equal(await sessions.count(), 1);
    if (process.env.CHAT_PICTURES) await page.screenshot({ path: join(process.env.CHAT_PICTURES, `admin-${chat.browserName}.png`), fullPage: true });

    await page.locator('#revoke-what').selectOption('rooms_but');
    await page.locator('#revoke-rooms').fill(name.toLowerCase());
    await page.getByRole('button', { name: 'Take back…' }).click();
    await page.getByText(`They leave all rooms but ${name.toLowerCase()}.`).waitFor();
    await page.getByRole('dialog').getByRole('button', { name: 'Take back' }).click();
    await hear(page, zoe, frame => frame.type === 'member_left' && frame.room === other.name);
    await sessions.getByRole('button', { name: other.name, exact: true }).waitFor({ state: 'detached' });

    const closed = new Promise(done => zoe.socket.on('close', done));
    await page.getByRole('button', { name: /^End session/ }).click();
    await page.getByRole('button', { name: 'Cancel' }).click();
    await page.getByRole('button', { name: 'End all sessions…' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'End all' }).click();
    assert.equal(await closed, 4503);
    await page.getByText('No session is known.').waitFor();
    await page.getByRole('button', { name: 'Done' }).click();
    assert.equal(await page.getByRole('heading', { name: eve }).count(), 0);
  });
}, { serve: serveOperators });
