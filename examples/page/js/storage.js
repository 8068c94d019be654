// What outlives a reload: the session of this tab, this person's name and transport. Without storage all still works once.

const CLIENT = 'chat.client';
const PAGE = 'chat.page';
const PLACES = 'chat.places';
const NICK = 'chat.nick';
const TRANSPORT = 'chat.transport';
const BLOCKED = 'chat.websocket-blocked';
const ALERTS = 'chat.alerts';
/** What makes a tab's session: what the client keeps first. */
export const SESSION_KEYS = [CLIENT, PAGE, PLACES];
/** For how long it is remembered that WebSocket did not get through; then it is tried again. */
const BLOCKED_MS = 10 * 60_000;

/** Where the client keeps the session. Once that is over, `close` forgets it, and keeps no other until `open`. */
export function clientStorage() {
  let isOpen = true;
  return {
    getItem: () => sessionStorage.getItem(CLIENT),
    setItem: (_, value) => isOpen && sessionStorage.setItem(CLIENT, value),
    removeItem: () => sessionStorage.removeItem(CLIENT),
    open() {
      isOpen = true;
    },
    close() {
      isOpen = false;
      attempt(() => sessionStorage.removeItem(CLIENT));
    },
  };
}

/** What the page saved beside that: `{ active, rooms }`. */
export function loadPage() {
  const saved = attempt(() => JSON.parse(sessionStorage.getItem(PAGE)));
  return Array.isArray(saved?.rooms) ? saved : { active: null, rooms: [] };
}

/** Saves what there is, or forgets it for null. */
export function savePage(page) {
  attempt(() => page === null ? sessionStorage.removeItem(PAGE) : sessionStorage.setItem(PAGE, JSON.stringify(page)));
}

/** Where each room was left, as the log says it. */
export const loadPlaces = () => {
  const saved = attempt(() => JSON.parse(sessionStorage.getItem(PLACES)));
  return Array.isArray(saved) ? saved : [];
};

export const savePlaces = places => attempt(() => sessionStorage.setItem(PLACES, JSON.stringify(places)));

/** Storage may be full or switched off: a reload then starts anew. */
function attempt(use) {
  try {
    return use();
  } catch {
    return null;
  }
}

/** The name used last, or an empty one. */
export const loadNick = () => load(NICK) ?? '';

/** Remembers the name for the next visit. */
export const saveNick = nick => keep(NICK, nick);

/** Whether somebody wants to be told of what is new while they look elsewhere. */
export const loadAlerts = () => load(ALERTS) !== null;

export const saveAlerts = isOn => keep(ALERTS, isOn ? 'on' : null);

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

const load = name => attempt(() => localStorage.getItem(name));

const keep = (name, value) =>
  attempt(() => value === null ? localStorage.removeItem(name) : localStorage.setItem(name, value));
