// A room of the page and its rows, without a browser: a client that is told frames by hand, and what is shown of that.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { afterEach, test } from 'node:test';
import { connect } from '../../examples/page/js/client.js';
import { isAbove, moderates, PageRoom } from '../../examples/page/js/room.js';
import { rowsOf, sameRow } from '../../examples/page/js/timeline.js';
import { composerWords, endedWords, errorWords, plain, putOutWords } from '../../examples/page/js/words.js';
import {
  ANN, BOB, EPOCH, changes, gap, history, joined, message, redacted, settings, swept, welcome,
} from './scripted.mjs';

const OTHER_EPOCH = 'ANOTHERLIFE00';
const at = seq => message(seq, '').at;
const clients = [];
afterEach(() => clients.splice(0).forEach(client => client.close()));

/** Bob's page in the room LAB, as `told` by its `joined` and these frames. */
function inLab(told, ...frames) {
  const lines = [];
  const open = (_, handlers) => {
    const line = { sent: [], tell: (...said) => said.forEach(frame => handlers.onFrame(frame)), lose: () => handlers.onClose(1006, '') };
    lines.push(line);
    return { send: frame => line.sent.push(frame), close() {}, buffered: () => 0 };
  };
  const client = connect({ url: 'http://script', storage: null, transports: [['script', open]] });
  clients.push(client);
  const page = new PageRoom({ code: 'LAB', nick: 'Bob', ...told?.saved }, { onChange() {}, onDraft() {} });
  const it = {
    client, page,
    get view() { return page.view; },
    get line() { return lines.at(-1); },
    tell: (...said) => (it.line.tell(...said), it),
    asked: type => it.line.sent.findLast(frame => frame.type === type),
    enter(more) {
      client.join('LAB', { nick: 'Bob' }).catch(() => {});
      page.bind(client.room('LAB'));
      return it.tell(joined({ id: it.asked('join').id, ...more }));
    },
    /** The connection is lost, and the next one says this of the room. */
    back(...rooms) {
      it.line.lose();
      client.connect();
      return it.tell(welcome(rooms));
    },
    rows: kind => rowsOf(page.view).filter(row => row.kind === kind),
    texts: () => page.view.messages.map(({ text }) => text),
    notices: () => page.view.notices.map(({ words }) => plain(words)),
  };
  const { saved, ...room } = told ?? {};
  return it.tell(welcome()).enter({ seq: 1, ...room }).tell(...frames);
}

/** Lets promises go on. */
const turn = () => new Promise(done => setImmediate(done));
const states = ({ view }) => view.pending.map(({ text, state }) => [text, state]);

test('a message has its row from the moment it is written: it waits, is said, and is told', async () => {
  const it = inLab();
  it.page.send('hello');
  const [{ id, state }] = it.rows('message');
  const { key, id: number } = it.asked('send');
  it.tell({ type: 'ack', id: number, room: 'LAB', seq: 3, at: at(3) });
  await turn();
  assert.deepEqual([state, states(it)], ['sent', [['hello', 'acked']]]);
  it.tell(message(2, 'before it', ANN), message(3, 'hello', BOB, key));
  assert.deepEqual([states(it), it.texts(), it.rows('message').at(-1).id], [[], ['before it', 'hello'], id]);
});

test('what was said is shown until what was missed around it has been read', async () => {
  const it = inLab();
  it.page.send('hello');
  const { key, id } = it.asked('send');
  it.tell(gap(2, 9), { type: 'ack', id, room: 'LAB', seq: 5, at: at(5) });
  await turn();
  assert.deepEqual([states(it), it.rows('gap').length, it.view.loading], [[['hello', 'acked']], 1, 'missed']);
  it.tell(history(it.asked('history').id, [message(5, 'hello', BOB, key)]));
  assert.deepEqual([states(it), it.texts(), it.rows('gap').length, it.view.loading], [[], ['hello'], 0, null]);
});

test('a lost connection puts what was on its way back into the queue', () => {
  const it = inLab();
  it.page.send('one');
  it.page.send('two');
  assert.deepEqual(states(it), [['one', 'sent'], ['two', 'waiting']]);
  it.line.lose();
  assert.deepEqual([states(it), it.view.live], [[['one', 'waiting'], ['two', 'waiting']], false]);
});

test('what is refused says why in its place, is sent anew under another key, or discarded', () => {
  const it = inLab();
  it.page.send('rude');
  const { key, id } = it.asked('send');
  it.tell({ type: 'error', id, room: 'LAB', code: 'forbidden', message: 'no' });
  assert.deepEqual([states(it), it.view.pending[0].error], [[['rude', 'failed']], errorWords({ code: 'forbidden' })]);
  it.page.retry(key);
  assert.deepEqual([states(it), it.asked('send').key === key], [[['rude', 'sent']], false]);
  it.tell({ type: 'error', id: it.asked('send').id, room: 'LAB', code: 'forbidden', message: 'no' });
  it.page.discard(it.view.pending[0].key);
  assert.deepEqual(states(it), []);
});

test('what was written for another life of the room is held back, and the room is asked about', () => {
  const it = inLab({}, message(2, 'old'));
  it.line.lose();
  it.page.send('a secret');
  it.client.connect();
  it.tell(welcome());
  it.tell(joined({ id: it.asked('join').id, epoch: OTHER_EPOCH, seq: 1 }));
  assert.deepEqual([it.view.renewed, states(it), it.texts(), it.view.selves], [true, [['a secret', 'failed']], [], [BOB.member]]);
  assert.ok(it.rows('message').every(row => !row.mayRetry));
  const saved = { ...it.page.saved };
  assert.equal(inLab({ saved, epoch: OTHER_EPOCH }).view.renewed, true, 'it has not been answered');
  it.page.stay();
  assert.equal(it.view.renewed, false);
});

test('whoever makes the room anew knows that it is another one', () => {
  const it = inLab({}, { type: 'room_closed', room: 'LAB', epoch: EPOCH, reason: 'host' });
  it.page.enter('Bob', true);
  assert.equal(it.view.ended, null);
  it.client.create('LAB', { nick: 'Bob' }).catch(() => {});
  it.tell(joined({ id: it.asked('create').id, epoch: OTHER_EPOCH, seq: 1 }));
  assert.deepEqual([it.view.renewed, it.view.live], [false, true]);
});

test('unread is what others said while nobody looked, and it is marked where it begins', () => {
  const it = inLab({}, message(2, 'a'), message(3, 'own', BOB), message(4, 'b'));
  assert.deepEqual([it.view.unread, it.view.news.from], [2, 2]);
  it.page.watch(true, true);
  assert.deepEqual([it.view.unread, it.rows('new').length], [0, 1]);
  it.tell(message(5, 'c'));
  assert.equal(it.view.unread, 0);
  it.page.watch(true, false);
  it.tell(message(6, 'below'));
  assert.deepEqual([it.view.unread, it.view.news], [1, { from: 2, count: 2, isMore: false }], 'it stays while one reads');
  it.page.watch(true, true);
  assert.deepEqual([it.view.unread, it.view.news.from], [0, 6]);
  it.page.watch(false, false);
  assert.equal(it.rows('new').length, 0);
  it.tell(message(7, 'd'), redacted(8, 7));
  assert.equal(it.view.unread, 0, 'what was taken back is nothing to be read');
  it.tell(message(9, 'e'));
  const again = inLab({ saved: it.page.saved, seq: 10, more: true, history: [{ ...message(7, ''), redacted: true }, message(9, 'e'), message(10, 'f')] });
  assert.deepEqual([again.view.unread, again.view.news], [2, { from: 9, count: 2, isMore: false }], 'over a reload, too');
  const later = inLab({ saved: it.page.saved, seq: 90, more: true, history: [message(89, 'x'), message(90, 'y')] });
  assert.deepEqual(later.view.news, { from: 89, count: 2, isMore: true });
});

test('messages of one sender stand together until another speaks or a notice comes', () => {
  const left = { type: 'member_left', room: 'LAB', seq: 5, at: at(5), member: 3, nick: 'Cid', reason: 'left' };
  const it = inLab({}, message(2, 'a'), message(3, 'b'), message(4, 'c', BOB), left, message(6, 'd', BOB));
  assert.deepEqual(it.rows('message').map(({ first, last }) => [first, last]), [[true, false], [false, true], [true, true], [true, true]]);
});

test('days are told apart, and a clock that is behind makes no second yesterday', () => {
  const it = inLab({}, { ...message(2, 'x'), at: '2026-11-20T12:00:00.000Z' }, { ...message(3, 'y'), at: '2036-11-22T12:00:00.000Z' });
  it.page.send('now');
  const ids = rowsOf(it.view).map(row => row.id);
  assert.equal(ids.filter(id => id.startsWith('d')).length, 2);
  assert.equal(new Set(ids).size, ids.length);
});

test('a row that did not change is the same row, and a room that did not is the same room', () => {
  const it = inLab({}, message(2, 'a'));
  const [room, before] = [it.view, rowsOf(it.view)];
  assert.equal(it.view, room);
  it.tell(message(3, 'b', BOB));
  const after = rowsOf(it.view);
  assert.ok(sameRow(before[1], after[1]));
  assert.ok(sameRow(before[2], after[2]));
});

test('a long log keeps its newest, and more of it while one reads elsewhere', () => {
  const it = inLab();
  const told = (from, to) => Array.from({ length: to - from + 1 }, (_, index) => message(from + index, `${from + index}`));
  it.tell(...told(2, 2_400));
  assert.ok(it.view.messages.length <= 2_000);
  assert.deepEqual([it.view.more, it.texts().at(-1)], [true, '2400']);
  it.page.follow(false);
  const before = it.view.messages.length;
  it.tell(...told(2_401, 3_400));
  assert.equal(it.view.messages.length, before + 1_000);
});

test('notices go with the messages around them', () => {
  const it = inLab({}, { type: 'topic_changed', room: 'LAB', seq: 2, at: at(2), topic: 'Tea', by: 1 }, message(3, 'a'));
  assert.deepEqual([it.notices(), it.rows('notice').length], [['Ann set the topic: Tea'], 1]);
  it.tell(gap(4, 900));
  assert.deepEqual(it.notices(), []);
});

test('a message is shown as it is so far while it grows, and as it stands once it does not', () => {
  const live = (target, text) => ({ type: 'live', room: 'LAB', target, text, ...(text === null ? {} : { member: 1 }) });
  const said = it => it.rows('message').map(({ text, growing }) => [text, growing]);
  const it = inLab({}, message(2, 'start'), message(3, 'other'), live(2, 'start of it'), live(3, 'x'), live(2, 'start of it all'));
  assert.deepEqual(said(it), [['start of it all', true], ['x', true]]);
  it.tell(live(3, null));
  assert.deepEqual(said(it), [['start of it all', true], ['other', false]]);
  it.tell(redacted(4, 2));
  assert.deepEqual(said(it), [['', false], ['other', false]]);
  it.tell(live(3, 'y'));
  it.line.lose();
  assert.deepEqual(said(it), [['', false], ['other', false]], 'what is there on the next connection is told again');
});

test('a message answers another, as far as that is shown', () => {
  const it = inLab({ seq: 9, history: [message(9, 'nine')], more: true }, { ...message(10, 'yes'), reply_to: 9 }, { ...message(11, 'no'), reply_to: 2 });
  assert.deepEqual(it.rows('message').map(row => row.reply), [null, 'Ann: nine', 'An earlier message']);
  it.tell(redacted(12, 9));
  assert.deepEqual(it.rows('message').map(row => row.reply), [null, 'Ann: removed', 'An earlier message']);
});

test('what is taken back while a page loads is not shown, though the page is older than that', () => {
  const page = [message(5, 'five', BOB), message(6, 'six'), message(7, 'seven')];
  const it = inLab({ seq: 10, history: [message(9, 'nine')], more: true });
  it.page.loadEarlier();
  const { id } = it.asked('history');
  it.tell(redacted(11, 6), swept(12, BOB.member, 1, 8), message(13, 'on'), history(id, page, { as_of: 10 }));
  const now = () => it.view.messages.map(({ text, redacted: isTaken = false }) => [text, isTaken]);
  return turn().then(() => {
    assert.deepEqual(now(), [['', true], ['', true], ['seven', false], ['nine', false], ['on', false]]);
    const bare = [5, 6].map(seq => ({ ...message(seq, '', seq === 5 ? BOB : ANN), redacted: true }));
    it.tell(changes(it.asked('changes').id, bare, { through: 13, as_of: 13 }));
    assert.deepEqual(now(), [['', true], ['', true], ['seven', false], ['nine', false], ['on', false]]);
  });
});

test('what the server itself says is nobody\'s, has no colour, and stands in a group of its own', () => {
  const host = (seq, nick, text) => {
    const { member, color, ...frame } = message(seq, text);
    return { ...frame, host: true, nick };
  };
  const it = inLab({}, message(2, 'hi', ANN), host(3, 'Bot', '<b>one</b>'), host(4, 'Bot', 'two'), host(5, 'Desk', 'three'));
  assert.deepEqual(it.rows('message').map(row => [row.host, row.nick, row.first, row.mine, row.color]), [
    [false, 'Ann', true, false, ANN.color], [true, 'Bot', true, false, undefined], [true, 'Bot', false, false, undefined],
    [true, 'Desk', true, false, undefined],
  ]);
});

test('a role that changes says who may act on whom', () => {
  const role = (seq, member, name) => ({ type: 'role_changed', room: 'LAB', seq, at: at(seq), member, role: name, by: 1 });
  const CID = { member: 3, nick: 'Cid', color: 5, role: 'member', online: true };
  const it = inLab({ members: [BOB, ANN, CID] }, message(2, 'hers'), message(3, 'his', CID));
  const may = () => [1, 2, 3].map(member => isAbove(it.view, member));
  const redactable = () => it.rows('message').map(row => row.mayRedact);
  assert.deepEqual([moderates(it.view), may(), redactable()], [false, [false, false, false], [false, false]]);
  it.tell(role(4, 2, 'moderator'));
  assert.deepEqual([moderates(it.view), may(), redactable()], [true, [false, false, true], [false, true]]);
  assert.equal(it.notices().at(-1), 'You are a moderator now');
  it.tell(role(5, 3, 'moderator'));
  assert.deepEqual(may(), [false, false, false], 'nobody acts on an equal');
  it.tell(role(6, 1, 'moderator'), role(7, 2, 'owner'), role(8, 9, 'member'), role(9, 3, 'something later'));
  assert.deepEqual(may(), [true, false, true]);
});

test('a change of name is told by the name before it, and what was said keeps its own', () => {
  const changed = (seq, member, change) => ({ type: 'member_changed', room: 'LAB', seq, at: at(seq), member, ...change });
  const it = inLab({}, message(2, 'hers'), changed(3, 1, { nick: 'Anna' }), message(4, 'hers again', { ...ANN, nick: 'Anna' }));
  assert.deepEqual(it.rows('message').map(({ nick }) => nick), ['Ann', 'Anna']);
  it.tell(changed(5, 1, { data: { id: 2 } }), changed(6, 2, { nick: 'Rob' }), changed(7, 9, { nick: 'Zoe' }));
  assert.deepEqual(it.notices(), ['Ann is called Anna now', 'You are called Rob now']);
  assert.equal(it.view.nick, 'Rob', 'and comes back under that name');
});

test('what is set is told in a notice, and said where one writes', () => {
  const it = inLab({ seq: 10 }, settings(11, { slow_ms: 5_000, locked: true }));
  assert.equal(it.notices().at(-1), 'Ann locked the room: nobody new gets in');
  assert.match(composerWords(it.view).words, /one every 5 seconds/);
  it.tell({ ...settings(12, { slow_ms: 5_000, read_only: true }), by: undefined });
  assert.equal(it.notices().at(-1), 'The server opened the room again');
  assert.equal(composerWords(it.view).isMuted, true);
  assert.equal(composerWords({ ...it.view, you: ANN }), null, 'who moderates is held by none of it');
  it.tell({ ...gap(13, 20), settings: { secret: true, slow_ms: 7_200_000 } });
  assert.deepEqual([it.view.settings.secret, composerWords(it.view).isMuted], [true, false]);
  assert.match(composerWords(it.view).words, /one every 2 hours/);
});

const ended = it => it.view.ended && endedWords(it.view.ended);
const left = (reason, more) => ({ type: 'member_left', room: 'LAB', seq: 2, at: at(2), member: BOB.member, nick: 'Bob', reason, ...more });

test('who was banned reads that they were, by whom and until when', () => {
  const until = '2026-11-27T14:30:00.000Z';
  const forever = ended(inLab({}, left('banned', { by: ANN.member })));
  assert.equal(forever.offer, 'retry');
  assert.match(plain(forever.text), /Ann banned you$/);
  assert.match(plain(ended(inLab({}, left('banned', { by: ANN.member, until }))).text), /Ann banned you until .*2026/);
  const away = inLab().back({ room: 'LAB', epoch: EPOCH, seq: 2, status: 'left', reason: 'banned', until });
  assert.equal(ended(away).text, putOutWords('banned', until));
  assert.match(putOutWords('banned', until), /banned from this room until .*2026.* while you were away/);
  assert.match(errorWords({ code: 'banned', until }), /until .*2026/);
  assert.doesNotMatch(errorWords({ code: 'banned' }), /until/);
});

test('a closed room says why, and a fault is not the host', () => {
  const told = reason => ended(inLab({}, { type: 'room_closed', room: 'LAB', epoch: EPOCH, reason })).text;
  assert.match(told('host'), /host/);
  assert.match(told('empty'), /Everybody/);
  assert.match(told('fault'), /went wrong/);
  assert.match(ended(inLab().back({ room: 'LAB', status: 'closed' })).text, /while you were away/);
});

test('one\'s own leaving is told as that, though in a big room no event tells it, and ends nothing if it was an earlier one', () => {
  const quiet = { type: 'member_left', room: 'LAB', position: `${EPOCH}:1`, member: 2, nick: 'Bob', reason: 'left' };
  assert.equal(plain(ended(inLab({}, quiet)).title), 'You left');
  assert.equal(ended(inLab({ seq: 1, entered: 3 }, left('timeout'))), null);
  assert.equal(plain(ended(inLab({}, gap(2, 9), { type: 'gap', room: 'LAB', epoch: EPOCH, from: 10, to: 20, ended: true })).title),
    'You are not in this room any more');
});

test('every error code of the protocol has words of its own', async () => {
  const page = await readFile(new URL('../../docs/protocol.md', import.meta.url), 'utf8');
  const table = page.slice(page.indexOf('## Error codes'), page.indexOf('## Close codes'));
  const codes = [...table.matchAll(/^\| `(\w+)` \|/gm)].map(match => match[1]);
  assert.ok(codes.length >= 23);
  const none = errorWords({ code: 'no_such_code' });
  for (const code of codes) assert.notEqual(errorWords({ code }), none, code);
});

test('rows that go on from what was there are those that are made from the start', async () => {
  const it = inLab({}, ...Array.from({ length: 450 }, (_, index) => message(index + 2, `${index}`, index % 7 ? ANN : BOB)));
  const came = (seq, member) => ({ type: 'member_joined', room: 'LAB', seq, at: at(seq), member, nick: `N${member}`, color: 1, role: 'member' });
  const steps = [
    () => it.tell(message(452, 'more')),
    () => it.tell(came(453, 10), came(454, 11), came(455, 12)),
    // One more of those who come makes one line of them all.
    () => it.tell(came(456, 13)),
    () => it.tell(message(457, 'an answer', ANN)),
    () => it.page.send('mine'),
    () => it.tell(redacted(458, 20)),
    () => it.tell(redacted(459, 440)),
    () => it.page.watch(true, true),
    () => it.page.watch(true, false),
    () => it.tell(message(460, 'new below')),
    () => it.page.watch(false, false),
    () => it.tell(swept(461, 1, 200, 260)),
    () => it.tell(settings(462, { slow_ms: 5_000 })),
    () => it.page.follow(false),
    () => it.tell(...Array.from({ length: 250 }, (_, index) => message(463 + index, `then ${index}`))),
  ];
  for (const [index, step] of steps.entries()) {
    step();
    // Another copy of the module knows nothing of what was made before.
    const { rowsOf: anew } = await import(`../../examples/page/js/timeline.js?${index}`);
    assert.deepEqual(rowsOf(it.view), anew(it.view), `after step ${index}`);
  }
});
