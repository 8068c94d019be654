// The operator's page: it asks the routes beside it, shows what they say, and has them act. The token is in the session storage of this tab.

import { people } from './people.js';

/** How often everything is asked for again, and how much of it the charts show: the last five minutes. */
const EVERY_MS = 3000;
/** Longer than this for how the server is, which waits for no database, and it does not answer. */
const ANSWER_MS_MAX = 10_000;
const SAMPLES = 100;
const ROOMS_A_PAGE = 100;
const MESSAGES = 30;
const TOKEN = 'chat-admin-token';

const byId = id => document.getElementById(id);
let names = [];
let pages = 1;
/** The code of the room that is shown. */
let open = null;
let timer = null;
/** The rooms that are being asked for. */
let looking = null;
/** What was wrong at the last look, which the next may take back. */
let wrong = '';

/** What was refused, or a server that does not answer. */
class Refused extends Error {
  constructor(status, { code = 'unreachable', message = 'The server does not answer.' } = {}) {
    super(message);
    Object.assign(this, { status, code });
  }
}

/** Asks a route; what it answers. */
async function ask(path, { method = 'GET', body, text = false, patienceMs } = {}) {
  const token = sessionStorage.getItem(TOKEN);
  const headers = { ...token && { Authorization: `Bearer ${token}` }, ...body && { 'Content-Type': 'application/json' } };
  const signal = patienceMs && AbortSignal.timeout(patienceMs);
  let answer;
  try {
    answer = await fetch(path, { method, headers, body: body && JSON.stringify(body), cache: 'no-store', credentials: 'omit', signal });
    if (answer.ok) return await (text ? answer.text() : answer.json());
  } catch {
    throw new Refused(0);
  }
  throw new Refused(answer.status, await answer.json().catch(() => ({ code: 'unknown', message: `Status ${answer.status}.` })));
}

const inRoom = (code, rest = '') => `rooms/${encodeURIComponent(code)}${rest}`;

/** An element with attributes and children, which are texts or elements. */
function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith('on')) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value);
  }
  element.append(...children);
  return element;
}

/** Only what differs is written, so that nobody loses the focus or what they have marked. */
function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Has the children of `parent` be those of `items`, in order: those of the same key stay, and `fill` says what is in one. */
function sync(parent, items, keyOf, create, fill) {
  const known = new Map([...parent.children].map(child => [child.dataset.key, child]));
  let place = parent.firstElementChild;
  for (const item of items) {
    const key = String(keyOf(item));
    const child = known.get(key) ?? create(item);
    child.dataset.key = key;
    known.delete(key);
    fill(child, item);
    if (child === place) place = place.nextElementSibling;
    else parent.insertBefore(child, place);
  }
  for (const gone of known.values()) gone.remove();
}

// Charts

const total = (metrics, name, labels = '') => {
  let sum = 0;
  for (const line of metrics.split('\n')) {
    if (!line.startsWith(name) || !/[ {]/.test(line[name.length])) continue;
    if (labels.split(',').every(label => line.includes(label))) sum += Number(line.slice(line.lastIndexOf(' ') + 1));
  }
  return sum;
};
const CHARTS = [
  { name: 'Sessions', of: page => total(page, 'chat_sessions', 'state="connected"') },
  { name: 'Rooms', of: page => total(page, 'chat_rooms') },
  { name: 'Members', of: page => total(page, 'chat_members') },
  { name: 'Messages a second', of: page => total(page, 'chat_commands_total', 'kind="send",outcome="done"'), isRate: true },
  { name: 'Refusals a second', of: page => total(page, 'chat_rejects_total'), isRate: true },
  { name: 'Memory of rooms, MB', of: page => (total(page, 'chat_backlogs_bytes') + total(page, 'chat_ledgers_bytes')) / 1e6 },
].map(chart => ({ ...chart, values: [], last: null }));

const shown = value => value >= 100 || Number.isInteger(value) ? Math.round(value).toLocaleString('en') : value.toFixed(value < 10 ? 2 : 1);

function chart(metrics) {
  const now = performance.now();
  for (const one of CHARTS) {
    const count = one.of(metrics);
    const { last } = one;
    one.last = { count, now };
    // A process that began anew counts from 0.
    if (one.isRate && last === null) continue;
    one.values.push(one.isRate ? Math.max(0, count - last.count) / ((now - last.now) / 1000) : count);
    one.values.splice(0, one.values.length - SAMPLES);
  }
  sync(byId('charts'), CHARTS, one => one.name, one => {
    const tile = make('div', { class: 'chart' }, make('h2', {}, one.name), make('p'));
    tile.insertAdjacentHTML('beforeend', '<svg viewBox="0 0 99 40" preserveAspectRatio="none" aria-hidden="true"><path class="below"/><path/></svg>');
    return tile;
  }, (tile, { values }) => {
    put(tile.querySelector('p'), values.length ? shown(values.at(-1)) : '–');
    const top = Math.max(1e-9, ...values);
    const points = values.map((value, at) => `${SAMPLES - values.length + at},${(38 - 36 * value / top).toFixed(2)}`);
    const line = points.length > 1 ? `M${points.join('L')}` : '';
    const [below, above] = tile.querySelectorAll('path');
    above.setAttribute('d', line);
    below.setAttribute('d', line && `${line}L99,40L${SAMPLES - values.length},40Z`);
  });
}

// Rooms

async function showRooms() {
  const rooms = [];
  let next = '';
  for (let page = 0; page < pages && next !== undefined; page += 1) {
    const answer = await ask(`rooms?max=${ROOMS_A_PAGE}${next && `&after=${next}`}`);
    rooms.push(...answer.rooms);
    next = answer.next;
  }
  if (isSignedOut()) return;
  byId('more-rooms').hidden = next === undefined;
  byId('no-rooms').hidden = rooms.length > 0;
  sync(byId('rooms'), rooms, room => room.room, ({ room }) => {
    const parts = ['code', 'count quiet', 'topic'].map(name => make('span', { class: name, dir: 'auto' }));
    return make('li', {}, make('button', { type: 'button', onclick: () => enter(room) }, ...parts));
  }, (item, { room, info, about }) => {
    const [code, count, topic] = item.querySelectorAll('span');
    put(code, room);
    put(count, info ? `${info.online} of ${info.members} here` : atRest(about));
    put(topic, (info ?? about)?.topic ?? '');
    item.firstChild.setAttribute('aria-current', String(room === open));
  });
}

/** What the log knows of a room that is not in memory. */
function atRest(about) {
  if (!about) return 'at rest';
  return [`at rest, ${about.members} in it`, about.kept && 'kept', `last at ${time(about.last_at)}`].filter(Boolean).join(' · ');
}

async function enter(code) {
  open = code.toUpperCase();
  for (const list of ['members', 'messages', 'bans']) byId(list).replaceChildren();
  await attempt(async () => {
    await showRoom();
    byId('room-title').focus();
  });
}

async function showRoom() {
  if (open === null) return;
  const code = open;
  let answers;
  try {
    answers = await Promise.all([
      ask(inRoom(code)), ask(inRoom(code, '/members?max=100')), ask(inRoom(code, `/messages?max=${MESSAGES}`)), ask(inRoom(code, '/bans')),
    ]);
  } catch (error) {
    if (error.code === 'room_not_found' && code === open) leave();
    throw error.code === 'room_not_found' ? new Refused(404, { code: error.code, message: `There is no room ${code}.` }) : error;
  }
  if (code !== open) return;
  const [{ info, tag }, members, messages, bans] = answers;
  byId('room').hidden = false;
  put(byId('room-title'), code);
  put(byId('topic'), info.topic);
  const { settings } = info;
  const set = [settings.locked && 'locked', settings.read_only && 'read-only', settings.secret && 'with a secret', settings.listed && 'listed',
    settings.slow_ms && `slow mode of ${settings.slow_ms / 1000} s`, info.protected && 'protected', info.kept && 'kept'].filter(Boolean);
  byId('keep').hidden = info.kept;
  byId('let-go').hidden = !info.kept;
  put(byId('facts'), [`${info.online} of ${info.members} here`, `event ${info.seq}`, `last at ${time(info.last_at)}`, ...set, `in logs ${tag}`].join(' · '));
  showMembers(code, members);
  showMessages(code, messages.messages);
  showBans(code, bans.bans);
}

function leave() {
  open = null;
  byId('room').hidden = true;
}

function showMembers(code, { members, total: all }) {
  sync(byId('members'), members, ({ member, since }) => `${member} ${since}`, ({ member }) => {
    const cells = ['', '', '', '', ''].map(() => make('td', { dir: 'auto' }));
    const acts = make('td', { class: 'acts' },
      make('button', { type: 'button', onclick: () => kick(code, member) }, 'Kick'),
      make('button', { type: 'button', class: 'danger', onclick: () => ban(code, member) }, 'Ban'));
    return make('tr', {}, ...cells, acts);
  }, (row, { member, nick, role, online, identity }) => {
    [member, nick, role, online ? 'yes' : 'no', identity ?? 'guest'].forEach((text, at) => put(row.children[at], String(text)));
    const [kicks, bans] = row.querySelectorAll('button');
    kicks.setAttribute('aria-label', `Kick ${nick}`);
    bans.setAttribute('aria-label', `Ban ${nick}`);
  });
  put(byId('more-members'), all === 0 ? 'Nobody is.' : all > members.length ? `and ${all - members.length} more` : '');
}

const time = at => new Date(at).toLocaleTimeString();

function showMessages(code, messages) {
  sync(byId('messages'), messages, ({ seq }) => seq, ({ seq }) => make('li', {},
    make('div', {}, make('p', { class: 'who', dir: 'auto' }), make('p', { dir: 'auto' })),
    make('button', { type: 'button', onclick: () => act(`Message ${seq} was taken back.`, inRoom(code, '/redact'), { message: seq }) }, 'Take back'),
  ), (item, { seq, at, nick, member, text, data, redacted }) => {
    const [who, said] = item.querySelectorAll('p');
    put(who, `${nick} ${member ? `(${member})` : '(host)'} · ${time(at)}`);
    put(said, redacted ? 'taken back' : text || (data ? JSON.stringify(data) : ''));
    said.classList.toggle('gone', redacted);
    const button = item.querySelector('button');
    button.hidden = redacted;
    button.setAttribute('aria-label', `Take back message ${seq} of ${nick}`);
  });
}

function showBans(code, bans) {
  byId('no-bans').hidden = bans.length > 0;
  sync(byId('bans'), bans, entry => entry.ban, ({ ban: number }) => make('li', {}, make('p', { dir: 'auto' }),
    make('button', { type: 'button', onclick: () => act('They may come in again.', inRoom(code, '/unban'), { ban: number }) }, 'Let in')),
  (item, { nick, member, until, network }) => {
    const who = nick ?? `Member ${member ?? '?'}`;
    put(item.querySelector('p'), `${who} · ${until ? `until ${new Date(until).toLocaleString()}` : 'for ever'}${network ? ' · with their network' : ''}`);
    item.querySelector('button').setAttribute('aria-label', `Let ${who} in`);
  });
}

// Acts

/** Asks whether somebody is sure, over a dialog that Escape closes. */
function sure(title, words, yes, { terms = false } = {}) {
  const dialog = byId('sure');
  put(byId('sure-title'), title);
  put(byId('sure-words'), words);
  put(byId('sure-yes'), yes);
  byId('ban-terms').hidden = !terms;
  dialog.querySelector('form').reset();
  dialog.returnValue = '';
  dialog.showModal();
  return new Promise(done => dialog.addEventListener('close', () => done(dialog.returnValue === 'yes'), { once: true }));
}

/** Has something done, says so, and shows what has come of it. */
const act = (words, path, body, method = 'POST') => attempt(async () => {
  await ask(path, { method, body });
  put(byId('told'), words);
  await Promise.all([showRooms(), showRoom()]);
});

const kick = (code, member) => act(`Member ${member} was put out.`, inRoom(code, '/kick'), { member });

async function ban(code, member) {
  if (!await sure(`Ban member ${member}?`, 'They are put out, and kept out.', 'Ban', { terms: true })) return;
  const minutes = Number(byId('ban-minutes').value);
  const terms = { sweep: byId('ban-sweep').checked, network: byId('ban-network').checked, ...minutes > 0 && { minutes } };
  await act(`Member ${member} is kept out.`, inRoom(code, '/ban'), { member, ...terms });
}

/** Does something, and says what is wrong where it fails. */
async function attempt(something) {
  put(byId('failed'), '');
  put(byId('told'), '');
  try {
    await something();
  } catch (error) {
    fail(error);
  }
}

function fail(error) {
  if (error.status === 401) signIn(sessionStorage.getItem(TOKEN) ? 'This is not the token.' : '');
  else put(byId('failed'), error.message);
}

// Beginning, and every few seconds

function signIn(words) {
  sessionStorage.removeItem(TOKEN);
  clearTimeout(timer);
  put(byId('state'), 'Not signed in');
  byId('state').dataset.begun = '';
  put(byId('sign-in-failed'), words);
  byId('sign-out').hidden = true;
  byId('charts').replaceChildren();
  byId('rooms').replaceChildren();
  leave();
  person.close();
  const dialog = byId('sign-in');
  if (!dialog.open) dialog.showModal();
}

const isSignedOut = () => byId('sign-in').open;

async function begin() {
  const status = await ask('status', { patienceMs: ANSWER_MS_MAX });
  names = status.names;
  byId('say-name').replaceChildren(...names.map(name => make('option', {}, name)));
  byId('say').hidden = names.length === 0;
  byId('no-name').hidden = names.length > 0;
  byId('sign-out').hidden = sessionStorage.getItem(TOKEN) === null;
}

/** How the server is, by itself: rooms may wait for a database that is away. */
async function refresh() {
  clearTimeout(timer);
  try {
    if (byId('state').dataset.begun !== 'yes') await begin();
    if (isSignedOut()) return;
    byId('state').dataset.begun = 'yes';
    const patienceMs = ANSWER_MS_MAX;
    const [status, metrics] = await Promise.all([ask('status', { patienceMs }), ask('metrics', { text: true, patienceMs })]);
    if (isSignedOut()) return;
    chart(metrics);
    put(byId('state'), status.draining ? 'Going down' : 'Connected');
    look();
  } catch (error) {
    if (isSignedOut()) return;
    if (error.status === 401) return fail(error);
    put(byId('state'), error.status === 0 ? 'The server does not answer' : 'Not connected');
    looked(error.status === 0 ? [] : [error]);
  }
  timer = setTimeout(refresh, EVERY_MS);
}

/** Shows the rooms and the one that is open, each if it can be. */
function look() {
  looking ??= Promise.allSettled([showRooms(), showRoom()]).then(outcomes => {
    looking = null;
    if (!isSignedOut()) looked(outcomes.flatMap(({ reason }) => reason ?? []));
  });
}

/** Says what was wrong at a look, or not any more; what an act has said stays. */
function looked(errors) {
  const error = errors.find(({ status }) => status === 401) ?? errors[0];
  if (error) fail(error);
  else if (byId('failed').textContent === wrong) put(byId('failed'), '');
  // That the open room is gone is said once, and stays.
  wrong = error && error.status !== 404 ? error.message : '';
}

const person = people({ byId, make, put, sync, ask, act, attempt, sure, enter, inRoom, openRoom: () => open });

byId('sign-in').addEventListener('cancel', event => event.preventDefault());
byId('sign-in').addEventListener('close', () => {
  sessionStorage.setItem(TOKEN, byId('token').value.trim());
  byId('token').value = '';
  refresh();
});
byId('sign-out').addEventListener('click', () => signIn(''));
byId('more-rooms').addEventListener('click', () => {
  pages += 1;
  attempt(showRooms);
});
byId('open').addEventListener('submit', event => {
  event.preventDefault();
  enter(byId('open-code').value.trim());
});
byId('say').addEventListener('submit', async event => {
  event.preventDefault();
  const text = byId('say-text').value;
  await act('It was said.', inRoom(open, '/messages'), { name: byId('say-name').value, text });
  if (!byId('failed').textContent) byId('say-text').value = '';
});
byId('make').addEventListener('submit', event => {
  event.preventDefault();
  const said = name => byId(`make-${name}`).value.trim();
  const [room, topic, owner] = ['code', 'topic', 'owner'].map(said);
  const settings = { listed: byId('make-listed').checked, locked: byId('make-locked').checked };
  const body = { ...room && { room }, ...topic && { topic }, ...owner && { owner }, protected: byId('make-protected').checked, settings };
  attempt(async () => {
    const made = await ask('rooms', { method: 'POST', body });
    byId('make').reset();
    byId('make').parentElement.open = false;
    await Promise.all([showRooms(), enter(made.room)]);
    put(byId('told'), `${made.room} was made, and is kept.`);
  });
});
byId('keep').addEventListener('click', () => act(`${open} is kept while nobody is in it.`, inRoom(open, '/keep'), {}));
byId('let-go').addEventListener('click', async () => {
  const code = open;
  if (!await sure(`Let go of ${code}?`, 'It goes with its last member, and what was said in it: now, if nobody is in it.', 'Let go')) return;
  await act(`${code} goes with its last member.`, inRoom(code, '/let-go'), {});
});
byId('close').addEventListener('click', async () => {
  const code = open;
  if (!await sure(`Close ${code}?`, 'Everybody is put out, and what was said is deleted.', 'Close room')) return;
  leave();
  await act(`${code} was closed.`, inRoom(code), undefined, 'DELETE');
});
refresh();
