// The session of this page: its rooms, what each frame does to them, and what the page may ask for.

import { createConnection } from './connection.js';
import { createOutbox } from './outbox.js';
import { disconnected, ended, forgotten, missedAfter, newRoom, pageBefore, receive, watched } from './room.js';
import { loadSession, saveSession } from './storage.js';
import { errorWords, fallbackWords, isPassing, putOutWords } from './words.js';

/** In force until `welcome` names others. */
const LIMITS = { text_chars: 4_000, nick_chars: 32, members: 500 };
const HISTORY_PAGE = 50;
/** Changes are saved together after this time, and when the page goes away. */
const SAVE_PAUSE_MS = 200;
/** How often a typing signal is renewed; the server forgets it after 6 seconds. */
const TYPING_RENEWAL_MS = 3_000;
/** How long to wait before joining again after a passing refusal that names no time. */
const REJOIN_PAUSE_MS = 2_000;

/** Ends of a membership that somebody else wanted. */
const PUT_OUT = new Set(['kicked', 'banned']);

/** Makes the session, not yet connected. `onChange(state)` hears every change; `route` opens transports. */
export function createSession({ route, onChange }) {
  const saved = loadSession();
  let token = saved?.token ?? null;
  let saveTimer = null;
  let typingShown = { code: null, at: 0 };
  const drafts = new Map();
  let state = {
    connection: { name: 'connecting' },
    /** The transport: `{ choice, via, isFallback }`. */
    transport: route.state(),
    limits: LIMITS,
    rooms: (saved?.rooms ?? []).map(restored),
    /** The room on screen; null is the form to create and join. */
    active: saved?.active ?? null,
    /** What the form has asked for: null, or `{ frame, error }`. */
    asking: null,
    toast: null,
  };

  const connection = createConnection({ route, hello, onFrame, onStatus });
  const outbox = createOutbox({ roomOf, setRoom, request: connection.request });

  function set(changes) {
    state = { ...state, ...changes };
    saveTimer ??= setTimeout(save, SAVE_PAUSE_MS);
    onChange(state);
  }

  function save() {
    clearTimeout(saveTimer);
    saveTimer = null;
    saveSession({ token, active: state.active, rooms: state.rooms });
  }

  function roomOf(code) {
    return state.rooms.find(room => room.code === code);
  }

  function setRoom(code, change) {
    const room = roomOf(code);
    const next = room && change(room);
    if (next !== room) set({ rooms: state.rooms.map(other => other === room ? next : other) });
  }

  const endRoom = (code, why, detail) => setRoom(code, room => ({ ...room, ...ended(room, { why, detail }) }));

  function removeRoom(code) {
    const rooms = state.rooms.filter(room => room.code !== code);
    const active = state.active === code ? rooms.findLast(room => !room.leaving)?.code ?? null : state.active;
    set({ rooms, active });
  }

  function hello() {
    if (token === null) return { type: 'hello', id: 0 };
    const known = state.rooms.filter(room => !room.fresh && !room.ended);
    const positions = Object.fromEntries(known.map(room => [room.code, `${room.epoch}:${room.seq}`]));
    return { type: 'hello', id: 0, resume: token, positions };
  }

  function onStatus(status) {
    if (status.name === 'ended') token = null;
    const transport = route.state();
    if (transport.isFallback && !state.transport.isFallback) set({ toast: fallbackWords });
    const rooms = status.name === 'open' ? state.rooms : state.rooms.map(disconnected);
    set({ connection: status, transport, rooms });
    if (status.name === 'ended') save();
  }

  function onFrame(frame, context) {
    switch (frame.type) {
      case 'welcome': return onWelcome(frame);
      case 'token': return onToken(frame);
      case 'resumed': return onResumed(frame);
      case 'joined': return onJoined(frame, context);
      case 'ack': return onAck(frame, context);
      case 'error': return onError(frame, context);
      default:
        setRoom(frame.room, room => receive(room, frame, context));
        if (frame.type === 'notices_changed') requestMembers(frame.room);
        // A page without a message could not be read.
        if (frame.type === 'changes' && frame.more && frame.messages.length === 0) askLater(frame.room);
        else askForChanges(frame.room);
    }
  }

  function onWelcome(frame) {
    token = frame.token ?? token;
    set({ limits: { ...LIMITS, ...frame.limits } });
    const told = new Map((frame.rooms ?? []).map(room => [room.room, room]));
    const isLive = code => ['live', 'gap'].includes(told.get(code)?.status);
    // What was asked for may have been done just before the connection was lost: then its `joined` follows by itself.
    const done = [...told.keys()].some(code => isLive(code) && !roomOf(code));
    for (const room of state.rooms) welcomed(room, isLive(room.code), told.get(room.code) ?? {});
    if (state.asking && !state.asking.error && !done) requestAsked(state.asking.frame);
  }

  // The one before runs out, and is forgotten with the next save.
  function onToken(frame) {
    token = frame.token;
    set({});
  }

  // A room that was too slow for the welcome.
  function onResumed(frame) {
    const room = roomOf(frame.room);
    if (room) welcomed(room, ['live', 'gap'].includes(frame.status), frame);
  }

  function welcomed(room, isLive, { status, reason, until, epoch }) {
    const { code } = room;
    if (status === 'waiting') return;
    if (room.leaving) return isLive ? requestLeave(code) : removeRoom(code);
    if (isLive) {
      // Of another life a `joined` follows: until then nothing is known of it.
      if (!room.fresh && epoch === room.epoch) setRoom(code, now => ({ ...now, live: true, ended: null }));
      askForChanges(code);
      return outbox.flush(code);
    }
    if (room.ended) return;
    if (status === 'closed') return endRoom(code, 'closed', 'It was closed while you were away.');
    // Who was put out does not come back unasked.
    if (status === 'left' && PUT_OUT.has(reason)) return endRoom(code, reason, putOutWords(reason, until));
    // From these the log may go on; after any other one joins like somebody new.
    const mayGoOn = status === 'left' || status === 'unavailable';
    rejoin(code, mayGoOn && !room.fresh ? `${room.epoch}:${room.seq}` : undefined);
  }

  function onJoined(frame, context) {
    const code = frame.room;
    const asked = context?.kind === 'ask' || (state.asking && !context && !roomOf(code));
    if (!roomOf(code)) set({ rooms: [...state.rooms, newRoom(code, frame.you.nick, drafts.get(code))] });
    drafts.delete(code);
    setRoom(code, room => receive(room, frame, context));
    if (asked) set({ asking: null, active: code });
    askForChanges(code);
    outbox.flush(code);
  }

  function onAck(frame, context) {
    if (context?.kind === 'send') outbox.accepted(context, frame);
    if (context?.kind === 'leave' && roomOf(context.room)?.leaving) removeRoom(context.room);
  }

  function onError(frame, context) {
    switch (context?.kind) {
      case 'ask': return state.asking && set({ asking: { ...state.asking, error: frame } });
      case 'rejoin': return onRejoinRefused(frame, context);
      case 'send': return outbox.refused(context, frame);
      case 'history': return setRoom(context.room, room => ({ ...room, loading: null, loadError: errorWords(frame) }));
      case 'changes': return onChangesRefused(frame, context.room);
      case 'leave': return removeRoom(context.room);
      case 'act': return set({ toast: errorWords(frame) });
      default: // Of a typing signal, a list of members, or an old token: nothing the person could do.
    }
  }

  function onRejoinRefused(error, { room: code, after, create }) {
    if (create && error.code === 'name_taken') return rejoin(code);
    if (error.code === 'already_member') {
      setRoom(code, room => ({ ...room, fresh: true, ended: null }));
      return connection.restart();
    }
    if (isPassing(error)) {
      const again = () => roomOf(code) && !roomOf(code).live && !roomOf(code).ended && rejoin(code, after);
      return setTimeout(again, error.retry_after_ms ?? REJOIN_PAUSE_MS);
    }
    const why = { room_not_found: 'gone', banned: 'banned' }[error.code] ?? 'refused';
    endRoom(code, why, errorWords(error));
  }

  function rejoin(code, after) {
    const { nick } = roomOf(code);
    const frame = after ? { type: 'join', room: code, nick, after } : { type: 'join', room: code, nick };
    return connection.request(frame, { kind: 'rejoin', room: code, after });
  }

  function requestAsked(frame) {
    return connection.request(frame, { kind: 'ask', create: frame.type === 'create' });
  }

  function requestLeave(code) {
    return connection.request({ type: 'leave', room: code }, { kind: 'leave', room: code });
  }

  /** What was changed in what one missed, one question at a time. */
  function askForChanges(code) {
    const room = roomOf(code);
    const after = room?.live && !room.changing ? missedAfter(room) : null;
    if (after === null) return;
    const asked = connection.request({ type: 'changes', room: code, after }, { kind: 'changes', room: code });
    if (asked) setRoom(code, now => ({ ...now, changing: true }));
  }

  function askLater(code, pause = REJOIN_PAUSE_MS) {
    setRoom(code, room => ({ ...room, changing: true }));
    setTimeout(() => {
      setRoom(code, room => ({ ...room, changing: false }));
      askForChanges(code);
    }, pause);
  }

  function onChangesRefused(error, code) {
    if (error.code === 'out_of_reach') return setRoom(code, forgotten);
    if (isPassing(error)) askLater(code, error.retry_after_ms);
    else setRoom(code, room => ({ ...room, changing: false }));
  }

  function requestMembers(code, asOf) {
    const room = roomOf(code);
    if (room?.live) connection.request({ type: 'members', room: code }, { kind: 'members', room: code, asOf });
  }

  return {
    start: connection.start,
    retryNow: connection.retryNow,
    /** Goes on over another transport, where the session stands. */
    use(name) {
      route.choose(name);
      set({ transport: route.state() });
      if (state.connection.name !== 'ended') connection.restart();
    },
    /** Asks who is connected now, where all members are listed. */
    refreshMembers(code) {
      const room = roomOf(code);
      if (room?.membersTotal <= state.limits.members) requestMembers(code, room.members);
    },
    save,
    state: () => state,

    /** Creates or joins: `{ type, nick, room? }`; a room one is in already is shown instead. */
    ask(frame) {
      const known = frame.type === 'join' && roomOf(frame.room);
      if (known?.leaving) removeRoom(known.code);
      else if (known) return set({ active: known.code, asking: null });
      set({ asking: { frame, error: null } });
      requestAsked(frame);
    },
    show(code) {
      set({ active: code, asking: null });
    },
    send(code, text) {
      typingShown = { code: null, at: 0 };
      outbox.push(code, text);
    },
    retry: outbox.retry,
    discard: outbox.discard,
    setDraft(code, draft) {
      setRoom(code, room => room.draft === draft ? room : { ...room, draft });
    },
    typing(code, on) {
      const renewed = typingShown.code === code && Date.now() - typingShown.at < TYPING_RENEWAL_MS;
      if (on ? renewed : typingShown.code !== code) return;
      typingShown = on ? { code, at: Date.now() } : { code: null, at: 0 };
      if (roomOf(code)?.live) connection.tell({ type: 'typing', room: code, on });
    },
    /** The room being read now, if any; `following` says whether the shown one is at its newest entry. */
    read(code, following) {
      const rooms = state.rooms.map(room => {
        const next = watched(room, room.code === code);
        return next.code !== state.active || next.following === following ? next : { ...next, following };
      });
      if (rooms.some((room, index) => room !== state.rooms[index])) set({ rooms });
    },
    loadEarlier(code) {
      const room = roomOf(code);
      if (!room?.live || !room.more || room.loading !== null) return;
      const frame = { type: 'history', room: code, before: pageBefore(room), limit: HISTORY_PAGE };
      const asked = connection.request(frame, { kind: 'history', room: code });
      if (asked) setRoom(code, now => ({ ...now, loading: 'earlier', loadError: null }));
    },
    loadGap(code, { from, to }) {
      const room = roomOf(code);
      if (!room?.live || room.loading !== null) return;
      const frame = { type: 'history', room: code, before: to + 1, limit: HISTORY_PAGE };
      const asked = connection.request(frame, { kind: 'history', room: code, gap: from });
      if (asked) setRoom(code, now => ({ ...now, loading: from, loadError: null }));
    },
    moreMembers(code) {
      const { listedTo: after } = roomOf(code);
      connection.request({ type: 'members', room: code, after }, { kind: 'members', room: code, after });
    },
    /** One of redact, kick, ban and topic; a refusal is shown in passing. */
    act(frame) {
      const asked = connection.request(frame, { kind: 'act' });
      if (!asked) set({ toast: 'Not connected. Try again in a moment.' });
    },
    rejoin(code, nick) {
      setRoom(code, room => ({ ...room, nick, ended: null }));
      rejoin(code);
    },
    recreate(code) {
      const { nick } = roomOf(code);
      setRoom(code, room => ({ ...room, ended: null }));
      const frame = { type: 'create', room: code, nick };
      connection.request(frame, { kind: 'rejoin', room: code, create: true });
    },
    /** Goes on in another life of the room. What was written for the one before stays unsent until it is sent again. */
    stay(code) {
      setRoom(code, room => ({ ...room, renewed: false }));
    },
    leave(code) {
      const { live, ended: isEnded } = roomOf(code);
      if (isEnded) return removeRoom(code);
      const next = state.rooms.findLast(room => room.code !== code && !room.leaving)?.code ?? null;
      setRoom(code, room => ({ ...room, leaving: true }));
      set({ active: next });
      if (live) requestLeave(code);
    },
    dropToast() {
      set({ toast: null });
    },
    /** A new session in this page, after the old one ended. What was written and not sent is kept for its room. */
    startAnew() {
      for (const { code, epoch, draft, pending } of state.rooms) {
        const unsent = pending.filter(message => message.state !== 'acked').map(message => message.text);
        const written = [...unsent, draft].filter(Boolean).join('\n');
        if (written !== '') drafts.set(code, { draft: written, epoch });
      }
      set({ rooms: [], active: null, asking: null });
      connection.restart();
    },
  };
}

function restored(room) {
  const state = room.ended ? 'failed' : 'waiting';
  const pending = (room.pending ?? []).map(message => ({ ...message, state, error: 'Not sent.' }));
  return newRoom(room.code, room.nick, { ...room, pending });
}
