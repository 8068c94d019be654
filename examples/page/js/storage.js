// What outlives a reload: the session of this tab, this person's name and transport. Without storage all still works once.

const SESSION = 'chat.session';
const NICK = 'chat.nick';
const TRANSPORT = 'chat.transport';
const BLOCKED = 'chat.websocket-blocked';
/** For how long it is remembered that WebSocket did not get through; then it is tried again. */
const BLOCKED_MS = 10 * 60_000;

const SAVED_FIELDS = ['code', 'nick', 'epoch', 'seq', 'readSeq', 'selves', 'draft', 'ended', 'renewed', 'leaving'];

/** The saved session: `{ token, active, rooms }`, or null. */
export function loadSession() {
  try {
    const saved = JSON.parse(sessionStorage.getItem(SESSION));
    return saved && typeof saved.token === 'string' && Array.isArray(saved.rooms) ? saved : null;
  } catch {
    return null;
  }
}

/** Saves the session; one without rooms is not worth a fight between two tabs, and is forgotten. */
export function saveSession({ token, active, rooms }) {
  try {
    if (!token || rooms.length === 0) return sessionStorage.removeItem(SESSION);
    sessionStorage.setItem(SESSION, JSON.stringify({ token, active, rooms: rooms.map(savedRoom) }));
  } catch {
    // Storage is full or switched off: a reload then starts anew.
  }
}

/** The name used last, or an empty one. */
export const loadNick = () => load(NICK) ?? '';

/** Remembers the name for the next visit. */
export const saveNick = nick => keep(NICK, nick);

/** The transport chosen last, or null. */
export const loadTransport = () => load(TRANSPORT);

/** Remembers the transport for the next visit. */
export const saveTransport = name => keep(TRANSPORT, name);

/** Whether WebSocket was found not to get through, a short while ago. */
export function loadBlocked() {
  const age = Date.now() - Number(load(BLOCKED) ?? NaN);
  return age >= 0 && age < BLOCKED_MS;
}

/** Remembers whether WebSocket gets through. */
export const saveBlocked = isBlocked => keep(BLOCKED, isBlocked ? String(Date.now()) : null);

function load(name) {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}

function keep(name, value) {
  try {
    if (value === null) localStorage.removeItem(name);
    else localStorage.setItem(name, value);
  } catch {
    // See above.
  }
}

function savedRoom(room) {
  const saved = Object.fromEntries(SAVED_FIELDS.map(field => [field, room[field]]));
  const pending = room.pending.filter(message => message.state !== 'acked');
  return { ...saved, pending: pending.map(({ key, text, at, epoch }) => ({ key, text, at, epoch })) };
}
