// What outlives a reload: the session of this tab, and the name of this person. Without storage all still works once.

const SESSION = 'chat.session';
const NICK = 'chat.nick';

const SAVED_FIELDS = ['code', 'nick', 'epoch', 'seq', 'readSeq', 'selves', 'draft', 'ended', 'leaving'];

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
export function loadNick() {
  try {
    return localStorage.getItem(NICK) ?? '';
  } catch {
    return '';
  }
}

/** Remembers the name for the next visit. */
export function saveNick(nick) {
  try {
    localStorage.setItem(NICK, nick);
  } catch {
    // See above.
  }
}

function savedRoom(room) {
  const saved = Object.fromEntries(SAVED_FIELDS.map(field => [field, room[field]]));
  const pending = room.pending.filter(message => message.state !== 'acked');
  return { ...saved, pending: pending.map(({ key, text, at }) => ({ key, text, at })) };
}
