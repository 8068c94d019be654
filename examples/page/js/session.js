// The session of this page: the client and its rooms, what the page may ask for, and what it saves for a reload.

import { connect } from './client.js';
import { PageRoom } from './room.js';
import { clientStorage, loadPage, savePage } from './storage.js';
import { errorWords, fallbackWords } from './words.js';

/** In force until `welcome` names others. */
const LIMITS = { text_chars: 4_000, nick_chars: 32, members: 500, grace_ms: 30_000 };
/** A room is left so long after one has said so, unless one thinks better of it. */
const UNDO_MS = 5_000;
/** Changes are saved together after this time, and when the page goes away. */
const SAVE_PAUSE_MS = 200;

/** Makes the session, not yet connected. `onChange()` hears every change; `route` opens connections. */
export function createSession({ route, onChange }) {
  const saved = loadPage();
  const storage = clientStorage();
  /** What was written and not sent in a session that ended, by room. */
  const drafts = new Map();
  /** The timers of rooms that are about to be left, by code. */
  const departures = new Map();
  let saveTimer = null;
  let rooms = [];
  let state = {
    connection: { name: 'connecting' },
    /** The browser says that there is no network, and nothing has come since. */
    isOffline: false,
    /** The transport: `{ choice, via, isFallback }`. */
    transport: route.state(),
    limits: LIMITS,
    /** The room on screen; null is the form to create and join. */
    active: saved.active,
    /** What the form has asked for: null, or `{ frame, error }`. */
    asking: null,
    /** Words to show in passing; `{ words, undo }` where that takes back that a room is left. */
    toast: null,
  };
  let client = null;
  for (const room of saved.rooms) add(room);

  function open() {
    // A copied tab takes the session over, and the first one says so.
    const opened = connect({ storage, takesOver: true, transports: [['page', route.open]] });
    opened.on('status', onStatus);
    opened.on('frame', onFrame);
    return opened;
  }

  function set(changes) {
    state = { ...state, ...changes };
    changed();
  }

  function saveSoon() {
    saveTimer ??= setTimeout(save, SAVE_PAUSE_MS);
  }

  function changed() {
    saveSoon();
    onChange();
  }

  function save() {
    clearTimeout(saveTimer);
    saveTimer = null;
    savePage(state.connection.name === 'ended' ? null : { active: state.active, rooms: rooms.map(room => room.saved) });
  }

  function roomOf(code) {
    return rooms.find(room => room.code === code);
  }

  function add(known) {
    const room = new PageRoom(known, { onChange: changed, onDraft: saveSoon });
    rooms = [...rooms, room];
    return room;
  }

  function remove(room) {
    room.unbind();
    rooms = rooms.filter(other => other !== room);
    const active = state.active === room.code ? nextTo(room) : state.active;
    set({ active });
  }

  const nextTo = room => rooms.findLast(other => other !== room && !other.isLeaving)?.code ?? null;

  function onStatus(status) {
    const transport = route.state();
    if (transport.isFallback && !state.transport.isFallback) set({ toast: fallbackWords });
    if (status.name === 'closed') storage.close();
    set({ connection: connectionOf(status), transport });
    if (status.name === 'closed') save();
  }

  function onFrame(frame) {
    if (state.isOffline) set({ isOffline: false });
    if (frame.type === 'welcome') onWelcome(frame);
    if (frame.type === 'joined') onJoined(frame);
  }

  function onWelcome({ rooms: told }) {
    const isThere = code => told.some(({ room, status }) => room === code && ['live', 'gap', 'waiting'].includes(status));
    // One that was being left when the page was loaded again, and is left.
    for (const room of rooms) if (room.isLeaving && !room.isHeld && !isThere(room.code)) remove(room);
    set({ limits: { ...LIMITS, ...client.limits } });
  }

  function onJoined({ room: code }) {
    const held = client.room(code);
    const known = roomOf(code);
    const room = known ?? add({ code, ...drafts.get(code) });
    drafts.delete(code);
    // Of one that is being left, the client knows it alone unless the page was loaded again.
    room.bind(held);
    if (room.isLeaving) return leave(room);
    const asked = state.asking?.error === null ? state.asking.frame.room ?? (known ? null : code) : null;
    if (asked === code) set({ asking: null, active: code });
  }

  /** Leaves a room in a moment: until then others are told of nothing. */
  function depart(room) {
    room.depart(true);
    departures.set(room.code, setTimeout(() => leave(room), UNDO_MS));
    set({ toast: { words: `You have left ${room.code}.`, undo: room.code } });
  }

  function undo(code) {
    if (!departures.has(code)) return;
    forgetDeparture(code);
    roomOf(code).depart(false);
    set({ active: code, asking: null });
  }

  function forgetDeparture(code) {
    clearTimeout(departures.get(code));
    departures.delete(code);
  }

  function leave(room) {
    forgetDeparture(room.code);
    room.leave().then(() => roomOf(room.code) === room && remove(room));
  }

  /** Goes into a room that is shown already. */
  function enter(room, type, nick = room.nick) {
    room.enter(nick, type === 'create');
    client[type](room.code, { nick }).catch(error => {
      // Somebody else has made it first.
      if (type === 'create' && error.code === 'name_taken') enter(room, 'join', nick);
    });
    // A client that is closed for good has none.
    const held = client.room(room.code);
    if (held) room.bind(held);
  }

  function request(asking) {
    const { type, room = null, ...entrance } = asking.frame;
    client[type](room, entrance).catch(error => state.asking === asking && set({ asking: { ...asking, error } }));
  }

  /** A refusal is shown in passing. */
  const tried = asked => asked.catch(error => {
    if (!['left', 'closed', 'disconnected'].includes(error.code)) set({ toast: errorWords(error) });
  });

  return {
    start() {
      client = open();
      for (const { code } of client.rooms) if (!roomOf(code)) add({ code });
      for (const room of rooms) {
        const held = client.room(room.code);
        if (held) room.bind(held);
        else if (!room.isEnded && !room.isLeaving) enter(room, 'join');
      }
      changed();
    },
    /** Tries again at once, where a wait is running. */
    retryNow() {
      if (state.connection.name === 'waiting') client.connect();
    },
    /** Goes on over another transport, where the session stands. */
    use(name) {
      route.choose(name);
      set({ transport: route.state() });
      if (state.connection.name !== 'ended') client.reconnect();
    },
    /** Asks who is connected now, where all members are listed. */
    refreshMembers(code) {
      const room = roomOf(code);
      if (room?.view.membersTotal <= state.limits.members) room.listMembers();
    },
    save,
    /** The page goes: what is about to be left is left. */
    goAway() {
      for (const code of [...departures.keys()]) leave(roomOf(code));
      save();
    },
    /** What the browser says of the network. */
    offline: isOffline => set({ isOffline }),
    undo,
    state: () => ({ ...state, rooms: rooms.map(room => room.view) }),

    /** Creates or joins: `{ type, nick, room? }`; a room one is in already is shown instead. */
    ask(frame) {
      const known = roomOf(frame.room);
      if (frame.type === 'join' && known && !known.isLeaving) return set({ active: known.code, asking: null });
      if (frame.type === 'join' && known?.nick === frame.nick.trim() && departures.has(known.code)) return undo(known.code);
      const asking = { frame, error: null };
      set({ asking });
      if (!known?.isLeaving) return request(asking);
      forgetDeparture(known.code);
      known.leave().then(() => {
        if (roomOf(known.code) === known) remove(known);
        if (state.asking === asking) request(asking);
      });
    },
    show(code) {
      set({ active: code, asking: null });
    },
    send: (code, text, replyTo) => roomOf(code).send(text, replyTo),
    edit: (code, seq, text) => tried(roomOf(code).edit(seq, text)),
    react: (code, seq, name, on) => tried(roomOf(code).react(seq, name, on)),
    lastOwn: code => client.has('edit') ? roomOf(code).lastOwn : null,
    /** Whether the server takes a command of this name. */
    has: name => client.has(name),
    retry: (code, key) => roomOf(code).retry(key),
    discard: (code, key) => roomOf(code).discard(key),
    setDraft: (code, draft) => roomOf(code).setDraft(draft),
    typing: (code, on) => roomOf(code)?.typing(on),
    /** The room that is shown in a visible page, if any; `isFollowing` says whether the active one is at its newest entry. */
    read(code, isFollowing) {
      for (const room of rooms) {
        room.watch(room.code === code, room.code === code && isFollowing);
        if (room.code === state.active) room.follow(isFollowing);
      }
    },
    loadEarlier: (code, messages) => roomOf(code).loadEarlier(messages),
    moreMembers: code => roomOf(code).moreMembers(),
    /** One of redact, kick, ban and topic; a refusal is shown in passing. */
    act({ room, ...frame }) {
      return tried(roomOf(room).command(frame));
    },
    /** Any command of a room, with its answer. */
    answer: ({ room, ...frame }) => roomOf(room).command(frame),
    rejoin: (code, nick) => enter(roomOf(code), 'join', nick),
    recreate: code => enter(roomOf(code), 'create'),
    stay: code => roomOf(code).stay(),
    leave(code) {
      const room = roomOf(code);
      set({ active: nextTo(room) });
      // What is over, or was never begun, leaves nothing to come back to.
      if (room.isEnded || room.view.renewed) leave(room);
      else depart(room);
    },
    dropToast() {
      set({ toast: null });
    },
    /** A new session in this page, after the old one ended. What was written and not sent is kept for its room. */
    startAnew() {
      for (const room of rooms) {
        forgetDeparture(room.code);
        if (room.unsent !== '') drafts.set(room.code, { draft: room.unsent, epoch: room.epoch });
        room.unbind();
      }
      rooms = [];
      set({ active: null, asking: null, connection: { name: 'connecting' } });
      storage.open();
      client = open();
    },
  };
}

/** The connection as it is shown: one that is dropped for another one at once is not waited for. */
function connectionOf(status) {
  const { name, code, reason } = status;
  if (name === 'closed') return { name: 'ended', code, reason };
  if (name !== 'waiting') return { name };
  return status.retryMs === 0 ? { name: 'connecting' } : { name, code, reason, retryAt: Date.now() + status.retryMs };
}
