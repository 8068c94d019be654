// What a server does seldom: gaps, refusals that pass, endings of every kind, and frames nobody knows yet.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hear, inRoom, messages, notice, notices, say, tryToEnter, withBrowser } from './chat.mjs';
import {
  ANN, BOB, EPOCH, at, changes, gap, history, joined, message, redacted, serveScript, welcome,
} from './scripted.mjs';

withBrowser('script', chat => {
  /** Bob's page in the room LAB at seq 10, and its connection. */
  async function inLab({ listsMembers = false } = {}) {
    const bob = await chat.open();
    const line = await chat.server.connection();
    line.listsMembers = listsMembers;
    assert.deepEqual(await line.next('hello'), { type: 'hello', id: 0 });
    line.send(welcome());
    await tryToEnter(bob, 'Bob', 'lab');
    const { id, ...join } = await line.next('join');
    assert.deepEqual(join, { type: 'join', nick: 'Bob', room: 'LAB' });
    line.send(joined({ id, history: [message(9, 'nine')] }));
    await inRoom(bob, 'LAB');
    return { bob, line };
  }

  /** The page's next connection, up to its hello. */
  async function returned() {
    const line = await chat.server.connection();
    return { line, hello: await line.next('hello') };
  }

  const live = seq => welcome([{ room: 'LAB', epoch: EPOCH, seq, status: 'live' }]);

  test('a gap is a line in the log, and what was missed is loaded by itself, page by page', async () => {
    const { bob, line } = await inLab();
    line.send(gap(11, 90, 'New'), message(91, 'ninety-one'));
    await hear(bob, 'ninety-one');
    const lines = () => bob.locator('.message .text, .gap > span').allTextContents();
    assert.deepEqual(await lines(), ['nine', 'Loading what was missed while you were away…', 'ninety-one']);
    assert.equal(await bob.locator('#topic').textContent(), 'New');

    const first = await line.next('history');
    assert.equal(first.after, 10);
    line.send(history(first.id, [message(12, 'twelve'), message(20, 'twenty')], { more_after: true }));
    await hear(bob, 'twenty');
    assert.deepEqual(await lines(), ['nine', 'twelve', 'twenty', 'Loading what was missed while you were away…', 'ninety-one']);
    const second = await line.next('history');
    assert.equal(second.after, 20);
    line.send(history(second.id, [message(60, 'sixty'), message(80, 'eighty'), message(91, 'ninety-one')]));
    await hear(bob, 'sixty');
    assert.deepEqual(await lines(), ['nine', 'twelve', 'twenty', 'sixty', 'eighty', 'ninety-one']);
  });

  test('after too long a gap the newest is shown, and what was before comes on scrolling up', async () => {
    const { bob, line } = await inLab();
    line.send(gap(11, 900), message(901, 'the newest'));
    const { before, id } = await line.next('history');
    assert.equal(before, 901);
    line.send(history(id, [message(890, 'of late')]));
    await hear(bob, 'of late');
    assert.deepEqual(await messages(bob), ['of late', 'the newest']);
    const earlier = await line.next('history');
    assert.equal(earlier.before, 890);
    line.send(history(earlier.id, [message(9, 'nine')], { more_before: false }));
    await hear(bob, 'nine');
  });

  test('the token that was told last is what the page comes back with', async () => {
    const { bob, line } = await inLab();
    line.send({ type: 'token', token: 'NEWER' }, message(11, 'on it goes'));
    await hear(bob, 'on it goes');
    line.close(4006, 'fault');
    const { line: again, hello } = await returned();
    assert.deepEqual(hello, { type: 'hello', id: 0, resume: 'NEWER', positions: { LAB: `${EPOCH}:11` }, catch_up: 500 });
    again.send({ ...live(11), token: 'NEWEST' }, message(12, 'and on'));
    await hear(bob, 'and on');
    await bob.reload();
    assert.equal((await returned()).hello.resume, 'NEWEST');
  });

  test('a lost answer is asked for again under the same key, and said once', async () => {
    const { bob, line } = await inLab();
    await say(bob, 'once');
    const sent = await line.next('send');
    assert.match(sent.key, /^[0-9a-f]{32}$/);
    line.close(4006, 'fault');
    const { line: again, hello } = await returned();
    assert.deepEqual(hello, { type: 'hello', id: 0, resume: 'TOKEN', positions: { LAB: `${EPOCH}:10` }, catch_up: 500 });
    // The message had arrived: the retry is answered with the first answer, and its event follows.
    again.send(live(10));
    const retried = await again.next('send');
    assert.deepEqual([retried.text, retried.key], ['once', sent.key]);
    again.send({ type: 'ack', id: retried.id, room: 'LAB', seq: 11, at: at(11) }, message(11, 'once', BOB, sent.key));
    await hear(bob, 'once');
    await say(bob, 'twice');
    const next = await again.next('send');
    assert.equal(next.text, 'twice');
    assert.notEqual(next.key, sent.key);
    again.send(message(12, 'twice', BOB, next.key), { type: 'ack', id: next.id, room: 'LAB', seq: 12, at: at(12) });
    await hear(bob, 'twice');
    assert.deepEqual(await messages(bob), ['nine', 'once', 'twice']);
  });

  test('an event of a type that the page does not know moves the position, and other frames do not', async () => {
    const { bob, line } = await inLab();
    line.send({ type: 'pinned', room: 'LAB', seq: 11, at: at(11), target: 9 },
      { type: 'read', room: 'LAB', member: 1, through: 99, at: at(11) });
    line.send(message(12, 'twelve'));
    await hear(bob, 'twelve');
    assert.equal(await bob.locator('.gap').count(), 0);
    line.send({ type: 'pinned', room: 'LAB', seq: 13, at: at(13), target: 12 });
    line.close(4006, 'fault');
    const { hello } = await returned();
    assert.deepEqual(hello.positions, { LAB: `${EPOCH}:13` });
  });

  test('a retry keeps its key, and an ack from inside a gap settles it', async () => {
    const { bob, line } = await inLab();
    await say(bob, 'once');
    const sent = await line.next('send');
    line.close(4002, 'slow_consumer');
    const { line: again } = await returned();
    again.send(welcome([{ room: 'LAB', epoch: EPOCH, seq: 10, status: 'gap' }]));
    again.send(gap(11, 40));
    const retried = await again.next('send');
    assert.equal(retried.key, sent.key);
    again.send({ type: 'ack', id: retried.id, room: 'LAB', seq: 11, at: at(11) });
    await bob.locator('.message[data-state=acked]').waitFor();
    assert.deepEqual(await messages(bob), ['nine', 'once']);
    const { id } = await again.next('history');
    again.send(history(id, [message(11, 'once', BOB, sent.key), message(12, 'twelve')]));
    await hear(bob, 'twelve');
    assert.deepEqual(await messages(bob), ['nine', 'once', 'twelve']);
    assert.equal(await bob.locator('.gap').count(), 0);
  });

  test('too fast: the message waits as long as told, and keeps its place', async () => {
    const { bob, line } = await inLab();
    await say(bob, 'first');
    await say(bob, 'second');
    const refused = await line.next('send');
    line.send({ type: 'error', id: refused.id, code: 'rate_limited', message: 'too fast', retry_after_ms: 50 });
    const first = await line.next('send');
    assert.deepEqual([first.text, first.key], ['first', refused.key]);
    line.send({ type: 'ack', id: first.id, room: 'LAB', seq: 11, at: at(11) }, message(11, 'first', BOB, first.key));
    const second = await line.next('send');
    line.send({ type: 'ack', id: second.id, room: 'LAB', seq: 12, at: at(12) }, message(12, 'second', BOB, second.key));
    await hear(bob, 'second');
    assert.deepEqual(await messages(bob), ['nine', 'first', 'second']);
  });

  test('a message that is refused for good says why, and can be sent anew', async () => {
    const { bob, line } = await inLab();
    await say(bob, 'rude');
    const sent = await line.next('send');
    line.send({ type: 'error', id: sent.id, room: 'LAB', code: 'forbidden', message: 'no' });
    await bob.getByText('You are not allowed to do this here.').waitFor();
    await bob.getByRole('button', { name: 'Send again' }).click();
    const again = await line.next('send');
    assert.notEqual(again.key, sent.key);
    line.send({ type: 'error', id: again.id, room: 'LAB', code: 'forbidden', message: 'no' });
    await bob.getByRole('button', { name: 'Discard' }).click();
    await bob.getByText('You are not allowed to do this here.').waitFor({ state: 'detached' });
  });

  test('after the grace it goes back in from where it was, and its own leave ends nothing', async () => {
    const { bob, line } = await inLab();
    line.close(4003, 'peer_timeout');
    const { line: again } = await returned();
    again.send(welcome([{ room: 'LAB', epoch: EPOCH, seq: 11, status: 'left' }]));
    const { id, ...join } = await again.next('join');
    assert.deepEqual(join, { type: 'join', room: 'LAB', nick: 'Bob', after: `${EPOCH}:10`, catch_up: 500 });
    again.send(joined({ id, entered: 13 }));
    again.send({ type: 'member_left', room: 'LAB', seq: 11, at: at(11), member: 2, nick: 'Bob', reason: 'timeout' });
    again.send(message(12, 'twelve'));
    again.send({ ...BOB, type: 'member_joined', room: 'LAB', seq: 13, at: at(13) });
    again.send(message(14, 'fourteen'));
    await hear(bob, 'fourteen');
    assert.deepEqual(await messages(bob), ['nine', 'twelve', 'fourteen']);
    assert.deepEqual(await notices(bob), ['You lost the connection and left', 'You joined']);
    await say(bob, 'here');
    assert.equal((await again.next('send')).text, 'here');
  });

  test('a room that cannot be reached is asked for until it can, and goes on where it was', async () => {
    const { bob, line } = await inLab();
    line.close(4006, 'fault');
    const { line: again } = await returned();
    again.send(welcome([{ room: 'LAB', epoch: EPOCH, seq: 10, status: 'unavailable' }]));
    const refused = await again.next('join');
    assert.equal(refused.after, `${EPOCH}:10`);
    again.send({ type: 'error', id: refused.id, room: 'LAB', code: 'unavailable', message: 'no', retry_after_ms: 50 });
    const { id, after } = await again.next('join');
    assert.equal(after, `${EPOCH}:10`);
    again.send(joined({ id }), message(11, 'eleven'));
    await hear(bob, 'eleven');
    assert.deepEqual(await messages(bob), ['nine', 'eleven']);
  });

  test('a gap in which the own membership ended says so, and offers the way back', async () => {
    const { bob, line } = await inLab();
    line.send({ type: 'gap', room: 'LAB', epoch: EPOCH, from: 11, to: 90, ended: true });
    await bob.getByRole('heading', { name: 'You are not in this room any more' }).waitFor();
    assert.equal(await bob.locator('.gap').count(), 1);
    await bob.getByRole('button', { name: 'Rejoin' }).click();
    assert.equal((await line.next('join')).room, 'LAB');
  });

  test('a nick that was taken meanwhile is asked for anew', async () => {
    const { bob, line } = await inLab();
    line.close(1001, '');
    const { line: again } = await returned();
    again.send(welcome([{ room: 'LAB', epoch: EPOCH, seq: 11, status: 'left' }]));
    const refused = await again.next('join');
    again.send({ type: 'error', id: refused.id, room: 'LAB', code: 'nick_taken', message: 'taken' });
    await bob.getByText('Somebody in the room has this name').waitFor();
    await bob.getByLabel('Rejoin as').fill('Bobby');
    await bob.getByRole('button', { name: 'Rejoin' }).click();
    const join = await again.next('join');
    assert.equal(join.nick, 'Bobby');
    const you = { ...BOB, member: 5, nick: 'Bobby' };
    again.send(joined({ id: join.id, seq: 12, you, history: [message(9, 'nine')] }));
    await bob.locator('.member .name', { hasText: 'Bobby' }).waitFor();
    await bob.getByLabel('Message', { exact: true }).waitFor();
    assert.deepEqual(await messages(bob), ['nine']);
  });

  test('a room that was closed says why', async () => {
    const { bob, line } = await inLab();
    line.send({ type: 'room_closed', room: 'LAB', epoch: EPOCH, reason: 'host' });
    await bob.getByRole('heading', { name: 'This room is closed' }).waitFor();
    await bob.getByText('The host of the server closed it.').waitFor();
    await bob.getByRole('button', { name: 'Create it again' }).click();
    const create = await line.next('create');
    line.send({ type: 'error', id: create.id, room: 'LAB', code: 'name_taken', message: 'taken' });
    const join = await line.next('join');
    line.send(joined({ id: join.id, epoch: 'ANOTHERLIFE00', seq: 1, history: [] }));
    // The new life of the room begins with nothing of the old one.
    await bob.waitForFunction(() => document.querySelector('.message') === null);
    // Somebody else was faster to make it.
    await bob.getByRole('heading', { name: 'This is a new room' }).waitFor();
    await bob.getByRole('button', { name: 'Stay here' }).click();
    await bob.getByLabel('Message', { exact: true }).waitFor();
    assert.equal(await bob.evaluate(() => document.activeElement.id), 'text');
  });

  test('a server that goes down is found again when it says', async () => {
    const { bob, line } = await inLab();
    line.send({ type: 'closing', code: 4001, reason: 'draining', reconnect_after_ms: 60 });
    const { line: again, hello } = await returned();
    assert.equal(hello.resume, 'TOKEN');
    again.send(live(10), message(11, 'back'));
    await hear(bob, 'back');
  });

  for (const [reason, title, offers] of [
    ['kicked', 'You were removed from this room while you were away', 1], ['banned', 'You may not come back', 0],
  ]) {
    test(`whoever was ${reason} while away is told so, and does not go back unasked`, async () => {
      const { bob, line } = await inLab();
      line.close(4003, 'peer_timeout');
      const { line: again } = await returned();
      again.send(welcome([{ room: 'LAB', epoch: EPOCH, seq: 11, status: 'left', reason }]));
      await bob.getByRole('heading', { name: title }).waitFor();
      assert.equal(await bob.getByRole('button', { name: 'Rejoin' }).count(), offers);
      // Whatever it sends next is the first frame after its hello.
      await bob.getByRole('button', { name: 'New room' }).click();
      await tryToEnter(bob, 'Bob', 'lab-two');
      assert.equal((await again.next()).room, 'LAB-TWO');
    });
  }

  const left = (reason, more = {}) =>
    ({ type: 'member_left', room: 'LAB', seq: 11, at: at(11), member: BOB.member, nick: 'Bob', reason, ...more });
  for (const [end, title, text, offer] of [
    [left('left'), 'You left', 'You may come back with the same code.', 'Rejoin'],
    [left('timeout'), 'You lost the connection and left', 'You may come back with the same code.', 'Rejoin'],
    [left('kicked', { by: 1 }), 'Ann removed you', 'You may come back with the same code.', 'Rejoin'],
    [left('kicked'), 'The server removed you', 'You may come back with the same code.', 'Rejoin'],
    [left('banned', { by: 1 }), 'You may not come back', 'Ann banned you', 'Try again'],
    [left('banned', { by: 1, until: '2026-11-29T22:00:00.000Z' }), 'You may not come back', /^Ann banned you until .*2026.*$/, 'Try again'],
    [left('banned'), 'You may not come back', 'The server banned you', 'Try again'],
    [{ type: 'room_closed', room: 'LAB', epoch: EPOCH, reason: 'host' },
      'This room is closed', 'The host of the server closed it.', 'Create it again'],
    [{ ...gap(11, 20), ended: true }, 'You are not in this room any more', 'You may come back with the same code.', 'Rejoin'],
  ]) {
    const { type, reason = 'in a gap', by = 'the server', until = 'ever' } = end;
    test(`the end is told in words, over a reload too: ${type}, ${reason}, by ${by}, until ${until}`, async () => {
      const { bob, line } = await inLab();
      const isShown = async () => {
        await bob.getByRole('heading', { name: title, exact: true }).waitFor();
        const words = await bob.locator('#ended-text').textContent();
        typeof text === 'string' ? assert.equal(words, text) : assert.match(words, text);
        await bob.locator('#ended').getByRole('button', { name: offer, exact: true }).waitFor();
      };
      line.send(end);
      await isShown();
      await bob.reload();
      const { line: again } = await returned();
      again.send(welcome([]));
      await isShown();
    });
  }

  test('whoever is banned tries to come back, is refused, and gets in once the ban is lifted', async () => {
    const { bob, line } = await inLab();
    line.send(left('banned', { by: 1 }));
    await bob.getByRole('button', { name: 'Try again' }).click();
    const refused = await line.next('join');
    line.send({ type: 'error', id: refused.id, room: 'LAB', code: 'banned', message: 'no', until: '2026-11-29T22:00:00.000Z' });
    await bob.getByText(/^You may not enter this room until .*2026/).waitFor();
    await bob.waitForFunction(() => document.activeElement.id === 'ended-offer');
    await bob.keyboard.press('Enter');
    const { id, nick } = await line.next('join');
    assert.equal(nick, 'Bob');
    line.send(joined({ id, seq: 20, entered: 20, you: { ...BOB, member: 3 } }));
    await bob.getByLabel('Message', { exact: true }).waitFor();
    assert.equal(await bob.locator('#ended').isHidden(), true);
  });

  for (const [code, words] of [
    [4001, 'The server is restarting.'], [4002, 'The connection was too slow.'], [4005, 'The server is full.'],
    [4003, 'No connection.'],
  ]) {
    test(`close code ${code} is told as what it is, until the connection is back`, async () => {
      const { bob, line } = await inLab();
      await bob.clock.install();
      line.send({ type: 'closing', code, reason: 'said by number', reconnect_after_ms: 5_000 });
      await bob.getByText(words, { exact: true }).waitFor();
      await bob.clock.runFor(5_000);
      const { line: again } = await returned();
      assert.equal(await bob.locator('#banner-words').textContent(), words);
      again.send(live(10));
      await bob.locator('#banner').waitFor({ state: 'hidden' });
    });
  }

  test('a message that is taken back stays so, where an answer older than that comes later', async () => {
    const { bob, line } = await inLab();
    line.send(gap(11, 90));
    const asked = await line.next('history');
    line.send(redacted(91, 60));
    line.send(history(asked.id, [message(60, 'sixty'), message(80, 'eighty')], { as_of: 90 }));
    await hear(bob, 'eighty');
    assert.equal((await messages(bob)).includes('sixty'), false);
    assert.equal(await bob.locator('.message.redacted').count(), 1);
    // It does not know what else was changed since.
    const { id, after } = await line.next('changes');
    assert.equal(after, 90);
    line.send(changes(id, [{ ...message(60, ''), redacted: true }], { through: 91, as_of: 91 }), message(92, 'on it goes'));
    await hear(bob, 'on it goes');
    assert.equal(await bob.locator('.message.redacted').count(), 1);
  });

  test('what was taken back in a gap does not stay on screen', async () => {
    const { bob, line } = await inLab();
    line.send(gap(11, 90, '', 70), message(91, 'ninety-one'));
    const asked = await line.next('changes');
    assert.equal(asked.after, 10);
    const bare = { ...message(9, ''), redacted: true };
    line.send(changes(asked.id, [bare, { seq: 3, gone: true }], { through: 91, as_of: 91 }));
    await bob.locator('.message.redacted').waitFor();
    assert.equal((await messages(bob)).includes('nine'), false);
  });

  test('where more was changed than the server remembers, what is shown is loaded anew', async () => {
    const { bob, line } = await inLab();
    line.send(gap(11, 90, '', 70), message(91, 'ninety-one'));
    const { id } = await line.next('changes');
    line.send({ type: 'error', id, room: 'LAB', code: 'out_of_reach', message: 'too long ago' });
    const asked = await line.next('history');
    assert.equal(asked.before, 92);
    line.send(history(asked.id, [message(91, 'ninety-one')], { more_before: false, as_of: 91 }));
    // The page draws with the next frame.
    await bob.waitForFunction(() => document.querySelectorAll('.message').length === 1);
    await hear(bob, 'ninety-one');
    assert.deepEqual(await messages(bob), ['ninety-one']);
  });

  test('a list of members that is older than who came since does not put them out', async () => {
    const { bob, line } = await inLab({ listsMembers: true });
    await bob.clock.install();
    await bob.clock.runFor(20_000);
    // The list is renewed when a room is shown, and then from time to time.
    const asked = await line.next('members');
    line.send({ ...BOB, type: 'member_joined', room: 'LAB', seq: 11, at: at(11), member: 3, nick: 'Cid' });
    await bob.locator('.member', { hasText: 'Cid' }).waitFor();
    line.send({ type: 'members', id: asked.id, room: 'LAB', members: [ANN, BOB], members_total: 2, more: false });
    line.send(message(12, 'twelve'));
    await hear(bob, 'twelve');
    assert.equal(await bob.locator('.member').count(), 3);
  });

  for (const [code, words] of [[4501, 'This chat continues in another tab'], [4504, 'The session has ended']]) {
    test(`after close code ${code} the page does not come back by itself`, async () => {
      const { bob, line } = await inLab();
      await bob.clock.install();
      line.close(code, 'over');
      await bob.getByRole('heading', { name: words }).waitFor();
      const before = chat.server.connectionsMade();
      await bob.clock.runFor(120_000);
      assert.equal(chat.server.connectionsMade(), before);
      await bob.getByRole('button', { name: code === 4501 ? 'Use here' : 'Start anew' }).click();
      const { hello } = await returned();
      assert.deepEqual(hello, { type: 'hello', id: 0 });
    });
  }

  test('what is not known is passed over, and a hole is shown as one', async () => {
    const { bob, line } = await inLab();
    line.send(
      { type: 'weather', room: 'LAB', sky: 'blue' },
      { type: 'constructor' },
      { type: 'message', room: 'ELSEWHERE', seq: 1, text: 'not for here' },
      { type: 'error', code: 'rate_limited', message: 'of a typing signal' },
      { ...message(10, 'told already') },
      { ...message(11, 'eleven'), mood: 'new field' },
      message(14, 'fourteen'),
    );
    await hear(bob, 'fourteen');
    assert.deepEqual(await messages(bob), ['nine', 'eleven', 'fourteen']);
    assert.equal(await bob.locator('.gap').count(), 1);
  });

  test('big rooms are counted, and members asked for again', async () => {
    const { bob, line } = await inLab({ listsMembers: true });
    line.send({ type: 'notices_changed', room: 'LAB', seq: 11, at: at(11), notices: 'counted' });
    await notice(bob, 'The room is big now');
    // Whoever is connected is asked when a room is shown, and again where it has become big; one page at a time.
    const answer = ({ id }) => line.send({ type: 'members', id, room: 'LAB', members: [ANN], members_total: 1_204, more: true });
    answer(await line.next('members'));
    answer(await line.next('members'));
    line.send({ type: 'presence', room: 'LAB', members: 1_204, online: 1_190 });
    await bob.getByRole('heading', { name: '1204 members, 1190 online' }).waitFor();
    await bob.getByRole('button', { name: 'Show more' }).click();
    const more = await line.next('members');
    assert.equal(more.after, 1);
    const cid = { ...BOB, member: 3, nick: 'Cid' };
    line.send({ type: 'members', id: more.id, room: 'LAB', members: [BOB, cid], members_total: 1_204, more: true });
    await bob.locator('.member', { hasText: 'Cid' }).waitFor();
    assert.equal(await bob.locator('.member').count(), 3);
  });
}, { serve: serveScript });
