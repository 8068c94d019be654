// The page: brings session and views together. What the session knows goes onto the screen.

import { sseAt, webSocketAt } from './client.js';
import { createComposer } from './composer.js';
import { ask } from './dialog.js';
import { byId, keepFocus, setText } from './dom.js';
import { createHead } from './head.js';
import { codeIn, createHome, isCode } from './home.js';
import { createLog } from './log.js';
import { createMembers } from './members.js';
import { createRoute, DEFAULT_TRANSPORT, reachesServer } from './route.js';
import { createSession } from './session.js';
import { createDrawers, createSidebar } from './sidebar.js';
import { openSocketIo } from './socketio.js';
import { loadBlocked, loadTransport, saveBlocked, saveTransport } from './storage.js';
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

const transports = { ws: webSocketAt(location.origin), sse: sseAt(location.origin), socketio: openSocketIo };
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

const home = createHome({ ask: session.ask });
const sidebar = createSidebar({ show });
const transportMenu = createTransportMenu({ choose: chooseTransport });
const drawers = createDrawers({ sidebar: '(max-width: 760px)', members: '(max-width: 1080px)' });
const head = createHead({ act: session.act, leave, say });
const members = createMembers({ act: session.act, more: session.moreMembers });
const composer = createComposer({
  send: session.send,
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
  loadEarlier: () => session.loadEarlier(session.state().active),
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
});

let painting = null;
let painted = { place: undefined };
let toastTimer = null;

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

  byId('home').hidden = over || room !== undefined;
  byId('room').hidden = over || room === undefined;
  byId('over').hidden = !over;
  byId('app').classList.toggle('at-home', over || room === undefined);
  byId('app').classList.toggle('alone', over || rooms.length === 0);

  sidebar.render({ ...state, rooms, active: room?.code ?? null });
  home.render(state);
  transportMenu.render(state.transport);
  if (room) {
    head.render(room);
    members.render(room);
    composer.render(room, state.limits);
    log.render(room);
  } else {
    log.clear();
  }
  if (over) paintOver(state.connection);
  paintBanner(state.connection);
  if (state.toast) {
    say(state.toast);
    session.dropToast();
  }
  const unread = rooms.reduce((sum, other) => sum + other.unread, 0);
  document.title = `${unread > 0 ? `(${unread}) ` : ''}${room ? `${room.code} – ` : ''}${TITLE}`;
  placed(over ? 'over' : room?.code ?? null, over);
  session.read(room && !over && !document.hidden ? room.code : null, log.isFollowing());
}

/** What is shown has changed: the address says it, and the focus goes where one goes on. */
function placed(place, over) {
  if (place === painted.place) return;
  const first = painted.place === undefined;
  painted = { place };
  if (over) return byId('over-title').focus();
  if (place !== null) {
    history.replaceState(null, '', `#${place}`);
    session.refreshMembers(place);
    if (!composer.focus()) head.focus();
  } else {
    if (!first) {
      history.replaceState(null, '', location.pathname + location.search);
      home.invite('');
    }
    home.focus();
  }
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
  setText(byId('banner-wait'), seconds > 0 ? `Trying again in ${seconds} s.` : 'Trying again…');
}

function say(words) {
  clearTimeout(toastTimer);
  setText(byId('toast'), words);
  byId('toast').classList.add('shown');
  toastTimer = setTimeout(() => {
    byId('toast').classList.remove('shown');
    setText(byId('toast'), '');
  }, Math.max(TOAST_MS_MIN, words.length * TOAST_MS_PER_CHARACTER));
}

/** What was chosen holds for the next visits, and over what the address says. */
function chooseTransport(name) {
  saveTransport(name === DEFAULT_TRANSPORT ? null : name);
  const address = new URL(location.href);
  address.searchParams.delete('transport');
  history.replaceState(null, '', address);
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

/** What the address names after its hash: a room one is in, or one to join. */
function followAddress() {
  const named = codeIn(location.hash);
  const code = isCode(named) ? named : '';
  const known = session.state().rooms.find(room => room.code === code);
  if (known) return session.show(code);
  home.invite(code);
  if (code !== '' && session.state().active !== null) {
    session.show(null);
    painted = { place: null };
    home.focus();
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
addEventListener('hashchange', followAddress);
addEventListener('pagehide', session.save);
document.addEventListener('visibilitychange', () => {
  if (document.hidden) return paintSoon();
  if (session.state().active) session.refreshMembers(session.state().active);
  paintSoon();
});
setInterval(() => {
  const { active, connection } = session.state();
  if (active && connection.name === 'open' && !document.hidden) session.refreshMembers(active);
}, MEMBERS_RENEWAL_MS);
setInterval(() => session.state().connection.name === 'waiting' && paintSoon(), 1_000);

session.start();
followAddress();
