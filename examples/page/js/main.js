// The page: brings session and views together. What the session knows goes onto the screen.

import { sseAt, webSocketAt } from './client.js';
import { createAlerts } from './alerts.js';
import { createComposer } from './composer.js';
import { ask } from './dialog.js';
import { base, byId, keepFocus, setText } from './dom.js';
import { createHead } from './head.js';
import { goTo, hasLayer, onPlaceChange, stayAt } from './layers.js';
import { codeIn, createHome, isCode } from './home.js';
import { createLog } from './log.js';
import { createMembers } from './members.js';
import { moderates } from './room.js';
import { createRoute, DEFAULT_TRANSPORT, reachesServer } from './route.js';
import { createSession } from './session.js';
import { createSettings } from './settings.js';
import { createDrawers, createSidebar } from './sidebar.js';
import { openSocketIo } from './socketio.js';
import { loadBlocked, loadPlaces, loadTransport, saveBlocked, savePlaces, saveTransport, SESSION_KEYS } from './storage.js';
import { keepForLater, takeUp } from './tabs.js';
import { createTransportMenu } from './transports.js';
import { lostWords, sessionEndedWords } from './words.js';

const TITLE = 'Chat rooms';
/** A toast stays long enough to be read, at this pace. */
const TOAST_MS_MIN = 4_000;
const TOAST_MS_PER_CHARACTER = 90;
/** Who is connected is not told as it changes, so the list on screen is asked for again after this time. */
const MEMBERS_RENEWAL_MS = 20_000;
/** Hidden pages are painted seldom; nobody looks. */
const HIDDEN_PAINT_MS = 250;

await takeUp(SESSION_KEYS);
const server = base().slice(0, -1);
const transports = { ws: webSocketAt(server), sse: sseAt(server), socketio: openSocketIo };
const asked = new URLSearchParams(location.search).get('transport');
const isTransport = name => name !== null && Object.hasOwn(transports, name);
const route = createRoute({
  transports,
  chosen: [asked, loadTransport()].find(isTransport) ?? DEFAULT_TRANSPORT,
  // Who asks for WebSocket by name wants to see it tried.
  isBlocked: asked !== DEFAULT_TRANSPORT && loadBlocked(),
  reaches: reachesServer,
  onBlocked: saveBlocked,
});
const session = createSession({ route, onChange: paintSoon });

const home = createHome({ ask: session.ask, cancel });
const sidebar = createSidebar({ show });
const transportMenu = createTransportMenu({ choose: chooseTransport });
const drawers = createDrawers({ sidebar: '(max-width: 760px)', members: '(max-width: 1080px)' });
const head = createHead({ act: session.act, leave, say });
const settings = createSettings({ act: session.act, ask: session.answer });
const members = createMembers({ act: session.act, more: session.moreMembers, settings: settings.open, has: session.has });
const alerts = createAlerts({ show, say });
const composer = createComposer({
  send: session.send,
  edit: session.edit,
  lastOwn: session.lastOwn,
  typing: session.typing,
  setDraft: session.setDraft,
  rejoin: session.rejoin,
  recreate: session.recreate,
  stay: session.stay,
  leave: session.leave,
});
const log = createLog({
  share: head.share,
  scrolled: paintSoon,
  say,
  may: mayDo,
  leave: () => byId('text').focus(),
  reply: row => composer.reply(row),
  edit: row => composer.edit(row),
  react({ seq, reactions }, name) {
    const isOn = reactions.some(reaction => reaction.name === name && reaction.isMine);
    session.react(session.state().active, seq, name, !isOn);
  },
  loadEarlier: messages => session.loadEarlier(session.state().active, messages),
  retry: key => session.retry(session.state().active, key),
  discard: key => session.discard(session.state().active, key),
  redact: ({ seq }) => ask({
    title: 'Remove this message?',
    text: 'It goes for everyone, and cannot be brought back.',
    choices: [{
      label: 'Remove', style: 'danger',
      run() {
        session.act({ type: 'redact', room: session.state().active, target: seq });
        composer.focus();
      },
    }],
  }),
}, loadPlaces());

/** What one may do with a message. */
function mayDo(row) {
  const { rooms, active, limits } = session.state();
  const room = rooms.find(({ code }) => code === active);
  const isThere = room !== undefined && room.live && !room.renewed && row.state === 'told' && row.seq !== null && !row.redacted;
  const speaks = isThere && (moderates(room) || !room.settings.read_only);
  return {
    reply: speaks && session.has('edit'),
    react: speaks && session.has('react'),
    edit: speaks && row.mayEdit && session.has('edit') && Date.now() - Date.parse(row.at) < (limits.edit_window_ms ?? Infinity),
    redact: isThere && row.mayRedact,
  };
}

let painting = null;
let painted = { place: undefined };
let toastTimer = null;
/** The room that one is in again by `Undo`. */
let undone = null;

function paintSoon() {
  if (painting !== null) return;
  painting = document.hidden ? setTimeout(paint, HIDDEN_PAINT_MS) : requestAnimationFrame(paint);
}

function paint() {
  painting = null;
  const state = session.state();
  const rooms = state.rooms.filter(room => !room.leaving);
  const room = rooms.find(other => other.code === state.active);
  const over = state.connection.name === 'ended';
  const connection = state.isOffline && !over ? { name: 'waiting', code: 'offline' } : state.connection;

  byId('home').hidden = over || room !== undefined;
  byId('room').hidden = over || room === undefined;
  byId('over').hidden = !over;
  byId('app').classList.toggle('at-home', over || room === undefined);
  byId('app').classList.toggle('alone', over || rooms.length === 0);

  sidebar.render({ ...state, rooms, connection, active: room?.code ?? null });
  home.render({ ...state, rooms });
  transportMenu.render(state.transport);
  if (room) {
    head.render(room);
    members.render(room);
    composer.render(room, state.limits);
    log.render(room);
  } else {
    log.clear();
  }
  if (over) paintOver(connection);
  paintBanner(connection);
  if (state.toast) {
    say(state.toast);
    session.dropToast();
  }
  alerts.render(rooms);
  const unread = rooms.reduce((sum, other) => sum + other.unread, 0);
  const title = `${unread > 0 ? `(${unread}) ` : ''}${room ? `${room.code} – ` : ''}${TITLE}`;
  if (document.title !== title) document.title = title;
  placed(over ? 'over' : room?.code ?? null, rooms);
  session.read(room && !over && !document.hidden ? room.code : null, log.isFollowing());
}

/** What is shown has changed: the address says it, and the focus goes where one goes on. */
function placed(place, rooms) {
  const before = painted.place;
  if (place === before) return;
  painted = { place };
  if (place === 'over') return byId('over-title').focus();
  if (place !== null) {
    moved(`#${place}`, before, rooms);
    session.refreshMembers(place);
    if (!composer.focus()) head.focus();
  } else {
    if (before !== undefined) {
      moved(location.pathname + location.search, before, rooms);
      home.invite('');
    }
    home.focus();
  }
}

/** The place before stays in the browser's history, unless it is a room that one has left. */
function moved(address, before, rooms) {
  const is = new URL(address, location.href).href;
  if (is === location.href) return;
  const isThere = before === null || rooms.some(room => room.code === before);
  if (before === undefined || !isThere) stayAt(address);
  else goTo(address, before);
}

/** From the form back to the room before it. */
function cancel() {
  const rooms = session.state().rooms.filter(room => !room.leaving);
  const { from } = history.state ?? {};
  if (rooms.some(room => room.code === from)) return history.back();
  if (rooms.length > 0) show(rooms.at(-1).code);
}

function paintOver(connection) {
  const words = sessionEndedWords(connection.code);
  setText(byId('over-title'), words.title);
  setText(byId('over-text'), words.text);
  setText(byId('over-button'), words.button);
}

/** The first connection is on its way in no time; a banner is for the others. */
function paintBanner(connection) {
  const lost = connection.name === 'waiting' || (connection.name === 'connecting' && !byId('banner').hidden);
  byId('banner').hidden = !lost;
  if (connection.name !== 'connecting') setText(byId('banner-words'), lost ? lostWords(connection.code) : '');
  const seconds = Math.ceil(((connection.retryAt ?? 0) - Date.now()) / 1_000);
  byId('banner-wait').hidden = byId('retry-now').hidden = connection.code === 'offline';
  setText(byId('banner-wait'), seconds > 0 ? `Trying again in ${seconds} s.` : 'Trying again…');
}

function say(said) {
  const { words, undo = null } = typeof said === 'string' ? { words: said } : said;
  clearTimeout(toastTimer);
  undone = undo;
  setText(byId('toast-words'), words);
  byId('toast-undo').hidden = undo === null;
  byId('toast').classList.add('shown');
  toastTimer = setTimeout(hush, Math.max(TOAST_MS_MIN, words.length * TOAST_MS_PER_CHARACTER));
}

function hush() {
  clearTimeout(toastTimer);
  byId('toast').classList.remove('shown');
  byId('toast-undo').hidden = true;
  setText(byId('toast-words'), '');
}

/** What was chosen holds for the next visits, and over what the address says. */
function chooseTransport(name) {
  saveTransport(name === DEFAULT_TRANSPORT ? null : name);
  const address = new URL(location.href);
  address.searchParams.delete('transport');
  stayAt(address.href);
  session.use(name);
}

function show(code) {
  drawers.close();
  session.show(code);
}

/** The last one takes the room along, so that one is asked. */
function leave(code) {
  const room = session.state().rooms.find(other => other.code === code);
  const isLast = room.live && room.membersTotal === 1 && room.messages.length > 0;
  if (!isLast) return session.leave(code);
  ask({
    title: 'You are the last one here',
    text: 'When you leave, the room and its messages are gone.',
    choices: [{ label: 'Leave', style: 'danger', run: () => session.leave(code) }],
  });
}

/** What the address names after its hash: a room one is in, or one to join; without one, `isChosen` leads to the form. */
function followAddress(isChosen) {
  const named = codeIn(location.hash === '' ? '' : decoded(location.hash));
  const code = isCode(named) ? named : '';
  const known = session.state().rooms.find(room => room.code === code);
  if (known && !known.leaving) return session.show(code);
  home.invite(code);
  if ((isChosen || code !== '') && session.state().active !== null) {
    session.show(null);
    painted = { place: null };
    home.focus();
  }
}

/** A hash as it was written, also by hand. */
function decoded(hash) {
  try {
    return decodeURIComponent(hash);
  } catch {
    return hash;
  }
}

byId('retry-now').addEventListener('click', session.retryNow);
keepFocus(byId('banner'));
byId('over-button').addEventListener('click', () => {
  const code = session.state().active ?? '';
  session.startAnew();
  painted = { place: undefined };
  home.invite(code);
});
byId('toast-undo').addEventListener('click', () => {
  hush();
  session.undo(undone);
});
keepFocus(byId('toast'));
document.addEventListener('keydown', event => {
  if (event.key === 'Escape' && !event.defaultPrevented && !hasLayer() && !byId('home').hidden) cancel();
});
onPlaceChange(() => followAddress(true));
addEventListener('pagehide', () => {
  session.goAway();
  savePlaces(log.places);
  keepForLater(SESSION_KEYS, session.state().limits.grace_ms);
});
addEventListener('offline', () => session.offline(true));
addEventListener('online', () => session.offline(false));
document.addEventListener('visibilitychange', () => {
  if (document.hidden) {
    // What comes from now on nobody sees; and a phone may end it without another word.
    session.read(null, log.isFollowing());
    session.save();
    keepForLater(SESSION_KEYS, session.state().limits.grace_ms);
    return paintSoon();
  }
  if (session.state().active) session.refreshMembers(session.state().active);
  paintSoon();
});
setInterval(() => {
  const { active, connection, limits } = session.state();
  keepForLater(SESSION_KEYS, limits.grace_ms);
  if (active && connection.name === 'open' && !document.hidden) session.refreshMembers(active);
}, MEMBERS_RENEWAL_MS);
setInterval(() => session.state().connection.name === 'waiting' && paintSoon(), 1_000);

session.start();
followAddress(false);
