// The client of `clients/js`, bundled: built there by `npm run page`, and never edited here.

// src/bounds.ts
var BACKOFF_MIN_MS = 500;
var BACKOFF_MAX_MS = 2e4;
var WELCOME_MS_MAX = 1e4;
var STEADY_MS = 5e3;
var FALLBACK_MS = 10 * 6e4;
var SILENCE_MS_MAX = 45e3;
var STREAM_SILENCE_MS_MAX = 35e3;
var PROBE_MS_MAX = 5e3;
var TICK_MS = 2e4;
var BUFFERED_MAX = 65536;
var CREDENTIALS_MS_MAX = 6e4;
var AGAIN_MS = 200;
var ANSWER_MS_MAX = 15e3;
var ONE_MS_MAX = 6e4;
var IN_FLIGHT = 32;
var QUEUE_MAX = 256;
var PAUSE_MS = 1e3;
var TYPING_RENEWAL_MS = 3e3;
var OUTBOX_MAX = 256;
var LOSSES_MAX = 8;
var HELD_MAX = 1e3;
var HOLE_MAX = 500;
var NAMED_MAX = 8;

// src/clock.ts
var systemClock = {
  now: () => Date.now(),
  after(ms, run) {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
  random: () => Math.random()
};
var backoffMs = (attempt, clock) => Math.round(clock.random() * Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** attempt));

// src/errors.ts
var ChatError = class _ChatError extends Error {
  code;
  constructor(code, message, details = {}) {
    super(message);
    this.name = "ChatError";
    this.code = code;
    Object.assign(this, details);
  }
  /** The same as a frame said it. A code that this version does not know is passed on as it is. */
  static of({ code, message, field, limit, retry_after_ms: retryAfterMs, until }) {
    return new _ChatError(code, message, JSON.parse(JSON.stringify({ field, limit, retryAfterMs, until })));
  }
};
function isChatError(error, code) {
  return error instanceof ChatError && (code === void 0 || error.code === code);
}
var PASSING = ["rate_limited", "busy", "unavailable", "at_capacity", "draining", "not_connected"];
var isPassing = ({ code }) => PASSING.includes(code);
var isFinal = (code) => code >= 4500 && code <= 4999;
var isUnexplained = (code) => code === 4500 || code > 1001 && code < 4e3 && code !== 1012;

// src/transport.ts
var ABNORMAL = 1006;
var NORMAL = 1e3;
var CREDENTIALS_EXPIRED = 4007;
var REPLACED = 4501;
var SESSION_ENDED = 4503;

// src/connection.ts
var Connection = class {
  #options;
  #clock;
  #current = null;
  #attempts = 0;
  /** Which transport is next, by its place in the list. */
  #place = 0;
  /** Until when that is so, once it got through; then the first is tried again. */
  #fallbackUntil = Infinity;
  /** The first transport was welcomed before: it is not given up for one loss. */
  #isProven = false;
  #stopRetry = null;
  constructor(options) {
    this.#options = options;
    this.#clock = options.clock;
  }
  get isOpen() {
    return this.#current !== null && this.#current.openedAt !== null;
  }
  get buffered() {
    return this.#current?.transport?.buffered() ?? 0;
  }
  send(frame) {
    if (this.isOpen) this.#current.transport.send(frame);
  }
  start() {
    this.#stopRetry?.();
    this.#stopRetry = null;
    if (this.#current !== null) return;
    if (this.#clock.now() >= this.#fallbackUntil) this.#beginWithFirst();
    const [name, open] = this.#options.openers[this.#place];
    const attempt = { transport: null, name, isHeard: false, openedAt: null, reconnectMs: void 0, stopTimer: () => {
    } };
    this.#current = attempt;
    this.#options.onStatus({ name: "connecting" });
    const lose = (code, reason) => this.#lose(attempt, code, reason);
    const wait = () => {
      attempt.stopTimer();
      attempt.stopTimer = this.#clock.after(WELCOME_MS_MAX, () => lose(ABNORMAL, "no answer"));
    };
    const go = (hello2) => {
      if (this.#current !== attempt) return;
      wait();
      try {
        attempt.transport = open(hello2, { onOpen: wait, onFrame: (frame) => this.#receive(attempt, frame), onClose: lose });
      } catch (error) {
        lose(ABNORMAL, String(error));
      }
    };
    const hello = this.#options.hello();
    if (hello instanceof Promise) {
      hello.then(go, (error) => {
        attempt.isHeard = true;
        lose(ABNORMAL, String(error));
      });
    } else go(hello);
  }
  /** Drops what there is, and opens another. With `NORMAL` nothing that was said is to blame. */
  restart(code = NORMAL) {
    if (this.#current !== null) this.#lose(this.#current, code, "dropped", 0);
    else this.start();
  }
  /** Tries again at once, where a wait is running. */
  retryNow() {
    if (this.#stopRetry !== null) this.start();
  }
  close(code, reason) {
    this.#stopRetry?.();
    this.#stopRetry = null;
    this.#drop();
    this.#attempts = 0;
    this.#options.onStatus({ name: "closed", code, reason });
  }
  #receive(attempt, frame) {
    if (this.#current !== attempt) return;
    attempt.isHeard = true;
    if (frame.type === "closing") {
      attempt.reconnectMs = frame.reconnect_after_ms;
      return this.#lose(attempt, frame.code, frame.reason);
    }
    if (frame.type === "welcome") {
      attempt.stopTimer();
      attempt.openedAt = this.#clock.now();
      if (this.#place === 0) this.#isProven = true;
      else this.#fallbackUntil = Math.min(this.#fallbackUntil, this.#clock.now() + FALLBACK_MS);
      this.#options.onStatus({ name: "open", transport: attempt.name });
    }
    this.#options.onFrame(frame);
  }
  #lose(attempt, code, reason, ms) {
    if (this.#current !== attempt) return;
    this.#drop();
    if (isFinal(code)) return this.close(code, reason);
    const { openedAt, isHeard } = attempt;
    if (openedAt !== null && this.#clock.now() - openedAt >= STEADY_MS) this.#attempts = 0;
    const retryMs = ms ?? attempt.reconnectMs ?? (this.#takesNext(openedAt, isHeard || code >= 4e3) ? 0 : backoffMs(this.#attempts++, this.#clock));
    this.#options.onStatus({ name: "waiting", retryMs, code, reason });
    if (this.#current === null && this.#stopRetry === null) this.#stopRetry = this.#clock.after(retryMs, () => this.start());
  }
  /** Whether the next transport is tried at once: nothing has come over this one, which may be blocked on the way. */
  #takesNext(openedAt, isHeard) {
    if (openedAt !== null || isHeard) return false;
    const isLast = this.#place + 1 >= this.#options.openers.length;
    if (isLast || this.#isProven && this.#attempts < 2) {
      this.#beginWithFirst();
      return false;
    }
    this.#place += 1;
    return true;
  }
  #beginWithFirst() {
    this.#place = 0;
    this.#fallbackUntil = Infinity;
  }
  #drop() {
    const attempt = this.#current;
    this.#current = null;
    attempt?.stopTimer();
    attempt?.transport?.close();
  }
};

// src/emitter.ts
var Emitter = class {
  #listeners = /* @__PURE__ */ new Map();
  /** Calls `listener` from now on, until what is returned is called. */
  on(name, listener) {
    const listeners = this.#listeners.get(name) ?? /* @__PURE__ */ new Set();
    this.#listeners.set(name, listeners.add(listener));
    return () => void listeners.delete(listener);
  }
  /** What a listener throws is reported, and harms neither the others nor the connection. */
  emit(name, event2) {
    for (const listener of [...this.#listeners.get(name) ?? []]) {
      try {
        listener(event2);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
};

// src/snapshot.ts
function snapshot(given, bytesMax = Infinity) {
  let text;
  try {
    text = JSON.stringify(given);
  } catch (error) {
    return new ChatError("bad_frame", String(error));
  }
  if (new TextEncoder().encode(text).length > bytesMax) return new ChatError("too_long", "this is longer than is taken", { limit: bytesMax });
  return JSON.parse(text);
}

// src/requests.ts
var PAGES = /* @__PURE__ */ new Set(["history", "changes", "members", "bans"]);
var Requests = class {
  #clock;
  #inFlight = /* @__PURE__ */ new Map();
  #waiting = [];
  #send = null;
  #onDead = () => {
  };
  #stopTimer = () => {
  };
  #limits;
  #nextId = 1;
  constructor(clock, limits) {
    this.#clock = clock;
    this.#limits = limits;
  }
  get isOpen() {
    return this.#send !== null;
  }
  /** Asks through this connection from now on; `onDead` hears of an answer that does not come. */
  open(send, onDead) {
    this.#send = send;
    this.#onDead = onDead;
  }
  ask(frame, done) {
    if (this.#send === null) return done(new ChatError("disconnected", "there is no connection"));
    if (this.#waiting.length >= QUEUE_MAX) return done(new ChatError("busy", "too many commands wait to be sent"));
    const said = snapshot({ ...frame, id: this.#nextId }, this.#limits().frame_bytes);
    if (said instanceof ChatError) return done(said);
    this.#nextId += 1;
    this.#waiting.push({ frame, said, done, since: 0 });
    this.#flush();
  }
  /** The request that a frame answers, which is then over; whoever takes it calls its `done`. */
  take(frame) {
    const { id } = frame;
    const request = this.#inFlight.get(id);
    if (request !== void 0) {
      this.#inFlight.delete(id);
      this.#flush();
      this.#watch();
    }
    return request;
  }
  /** The connection is lost: whatever was asked may have been done or not. */
  close() {
    const error = new ChatError("disconnected", "the connection was lost before the answer");
    const lost = [...this.#inFlight.values(), ...this.#waiting];
    this.#send = null;
    this.#inFlight.clear();
    this.#waiting = [];
    this.#stopTimer();
    for (const { done } of lost) done(error);
  }
  #flush() {
    const isPaging = () => [...this.#inFlight.values()].some(({ frame }) => PAGES.has(frame.type));
    const limit = Math.max(1, (this.#limits().in_flight ?? IN_FLIGHT) >> 1);
    while (this.#send !== null && this.#inFlight.size < limit) {
      const index = this.#waiting.findIndex(({ frame }) => !PAGES.has(frame.type) || !isPaging());
      if (index < 0) return;
      const [request] = this.#waiting.splice(index, 1);
      this.#inFlight.set(request.said.id, request);
      request.since = this.#clock.now();
      if (this.#inFlight.size === 1) this.#watch();
      this.#send(request.said);
    }
  }
  /** An answer has come, or the first is waited for: the next has as long. Over some transports they come one after the other. */
  #watch() {
    this.#stopTimer();
    const [oldest] = this.#inFlight.values();
    if (oldest === void 0) return;
    const ms = Math.min(ANSWER_MS_MAX, oldest.since + ONE_MS_MAX - this.#clock.now());
    this.#stopTimer = this.#clock.after(ms, () => this.#onDead());
  }
};

// src/state.ts
function newRoom(code) {
  return {
    code,
    epoch: null,
    seq: 0,
    status: "joining",
    ended: null,
    you: null,
    entered: 0,
    members: [],
    membersTotal: 0,
    listedTo: null,
    membersAt: 0,
    notices: "told",
    online: null,
    topic: "",
    settings: {},
    typing: [],
    growing: {},
    signals: [],
    messages: [],
    from: 1,
    more: false,
    hole: null,
    isBare: false,
    heldMax: HELD_MAX,
    known: 0,
    due: 0,
    read: null,
    readDue: 0,
    readTo: 0,
    unread: 0,
    synced: false
  };
}
var positionOf = ({ epoch, seq }) => epoch === null ? null : `${epoch}:${seq}`;
var misses = ({ due, known }) => due > known;
var isReadStale = ({ read, readDue, readTo }) => read !== null && (read.as_of < readDue || read.through < readTo);
var NOTHING_SHOWN = { typing: [], growing: {}, signals: [] };
function settled(state) {
  const { read, you, messages } = state;
  let unread = read?.unread ?? 0;
  for (let i = messages.length - 1; read !== null && i >= 0; i -= 1) {
    const { seq, member, redacted: redacted2 } = messages[i];
    if (seq <= Math.max(read.as_of, read.through)) break;
    if (!redacted2 && member !== you?.member) unread += 1;
  }
  const isTold = state.notices === "told";
  const isListed = !isTold || state.listedTo === null;
  const synced = state.status === "live" && state.hole === null && !state.isBare && !misses(state) && isListed && !isReadStale(state);
  const membersTotal = isTold && isListed ? state.members.length : state.membersTotal;
  return { ...state, membersTotal, unread, synced };
}
var readUpTo = (state, through) => through <= state.readTo || through > state.seq ? state : settled({ ...state, readTo: through });
function disconnected(state) {
  return state.status === "live" ? { ...state, ...NOTHING_SHOWN, status: "away", synced: false } : state;
}
var ended = (state, ending) => ({ ...state, ...NOTHING_SHOWN, status: "ended", ended: ending, synced: false });
function resumed(state, { status, epoch, seq, read }) {
  const isLive = status === "live" || status === "gap";
  if (!isLive || epoch !== state.epoch || seq !== state.seq) return state;
  return settled({ ...state, status: "live", ended: null, ...NOTHING_SHOWN, read: laterRead(state.read, read) });
}
function laterRead(held, told) {
  if (told === void 0 || held !== null && (told.as_of < held.as_of || told.through < held.through)) return held;
  return { through: told.through, unread: told.unread, as_of: told.as_of };
}

// src/missed.ts
function missed(state, from, to, changedAt) {
  const due = Math.max(state.due, changedAt);
  const before = misses(state) ? state.known : Math.max(state.known, from - 1);
  const after = state.hole?.after ?? from - 1;
  const next = {
    ...state,
    seq: to,
    known: due > before ? before : Math.max(before, to),
    due,
    // What was told between two holes is read again with both.
    messages: state.messages.filter(({ seq }) => seq <= after),
    hole: { after, through: to },
    readDue: to,
    typing: []
  };
  return to - after > HOLE_MAX ? dropped(next) : next;
}
function dropped(state) {
  const { seq, known, due } = state;
  return { ...state, messages: [], from: seq + 1, more: true, hole: null, isBare: true, known: Math.max(seq, known, due) };
}
function nextQuestion(state, refused = /* @__PURE__ */ new Set()) {
  const { code: room, status, hole, read, readTo, listedTo, notices } = state;
  if (status !== "live") return null;
  const questions = [
    misses(state) && { type: "changes", room, after: state.known },
    hole !== null && { type: "history", room, after: hole.after, limit: 200 },
    state.isBare && { type: "history", room, before: state.from, limit: 50 },
    listedTo !== null && notices === "told" && { type: "members", room, after: listedTo },
    read !== null && isReadStale(state) && { type: "read", room, through: Math.max(read.through, readTo) }
  ];
  return questions.find((question) => question && !refused.has(question.type)) || null;
}

// src/outbox.ts
var Outbox = class {
  #options;
  #waiting;
  #inFlight = null;
  #stopPause = null;
  constructor(options, entries = []) {
    this.#options = options;
    this.#waiting = entries.map((entry) => ({ ...entry, done: () => {
    } }));
  }
  get entries() {
    return this.#waiting.map(({ done, ...entry }) => entry);
  }
  push(frame, key, done) {
    if (this.#waiting.length >= OUTBOX_MAX) return done(new ChatError("outbox_full", "too many messages wait to be sent", { limit: OUTBOX_MAX }));
    const said = snapshot(frame);
    if (said instanceof ChatError) return done(said);
    this.#waiting.push({ key, frame: said, epoch: this.#options.state().epoch, member: null, done });
    this.#options.onChange();
    this.flush();
  }
  /** Sends the next, unless one is on its way, or a pause runs. */
  flush() {
    const { status, epoch, you, code } = this.#options.state();
    if (status !== "live" || this.#inFlight !== null || this.#stopPause !== null) return;
    const entry = this.#waiting[0];
    if (entry === void 0) return;
    entry.epoch ??= epoch;
    if (entry.epoch !== epoch) return this.#end(entry, new ChatError("epoch_changed", "this was written for an earlier life of the room"));
    if (entry.member !== null && entry.member !== you?.member) {
      return this.#end(entry, new ChatError("outcome_unknown", "this may have been said already"));
    }
    if (entry.member === null) {
      entry.member = you.member;
      this.#options.onChange();
    }
    this.#inFlight = entry;
    this.#options.ask({ ...entry.frame, room: code, key: entry.key }, (answer) => this.#answered(entry, answer));
  }
  /** A frame that the room was told: one's own message, whose answer may have been lost. */
  heard(frame) {
    const [entry] = this.#waiting;
    if (entry === void 0 || frame.key !== entry.key || frame.seq === void 0) return;
    const member = frame.type === "message" ? frame.member : frame.by;
    if (member === entry.member) this.#end(entry, { seq: frame.seq, ...frame.at !== void 0 && { at: frame.at } });
  }
  /** The connection is lost. What was in flight is asked again under its key; not for ever, where it may be why (`isSuspect`). */
  pause(isSuspect = false) {
    const entry = this.#inFlight;
    this.#inFlight = null;
    this.#stopPause?.();
    this.#stopPause = null;
    if (entry === null || !isSuspect) return;
    entry.losses = (entry.losses ?? 0) + 1;
    if (entry.losses >= LOSSES_MAX) this.#end(entry, new ChatError("outcome_unknown", "the connection was lost before the answer each time"));
    else this.#options.onChange();
  }
  /** Nothing of it is sent any more. With `waits`, what was tried is still to be answered. */
  clear(error, { waits = false } = {}) {
    if (!waits) this.pause();
    for (const entry of [...this.#waiting]) {
      if (entry.member === null) this.#end(entry, error);
      else if (!waits) this.#end(entry, new ChatError("outcome_unknown", error.message));
    }
  }
  #answered(entry, answer) {
    if (this.#inFlight !== entry) return;
    this.#inFlight = null;
    if (answer instanceof ChatError) {
      if (answer.code === "disconnected") return;
      delete entry.losses;
      if (isPassing(answer) || answer.code === "not_member") return this.#wait(answer.retryAfterMs ?? PAUSE_MS);
      return this.#end(entry, answer);
    }
    const { seq, at } = answer;
    this.#end(entry, { seq, ...at !== void 0 && { at } });
  }
  #wait(ms) {
    this.#stopPause?.();
    this.#stopPause = this.#options.clock.after(ms, () => {
      this.#stopPause = null;
      this.flush();
    });
  }
  #end(entry, outcome) {
    const index = this.#waiting.indexOf(entry);
    if (index >= 0) {
      this.#waiting.splice(index, 1);
      this.#options.onChange();
      entry.done(outcome);
      if (outcome instanceof ChatError) this.#options.onRefused({ key: entry.key, frame: entry.frame, error: outcome });
    }
    this.flush();
  }
};

// src/messages.ts
function messageOf(frame, asOf) {
  const { type, room, as_of, ...content } = frame;
  return { ...content, as_of: asOf };
}
function tombstone(message, asOf) {
  const { data, reply_to, key, edited: edited2, reactions, ...rest } = message;
  return { ...rest, text: "", redacted: true, as_of: asOf };
}
function merged(held, page, asOf) {
  if (page.length === 0) return held;
  const all = new Map(held.map((message) => [message.seq, message]));
  for (const frame of page) {
    const before = all.get(frame.seq);
    if (before === void 0 || before.as_of <= asOf) all.set(frame.seq, messageOf(frame, asOf));
  }
  return [...all.values()].sort((a, b) => a.seq - b.seq);
}
function withChange(held, target, seq, change2) {
  const index = indexOf(held, target);
  const message = held[index];
  return message === void 0 || message.as_of >= seq ? held : held.with(index, change2(message));
}
function indexOf(held, seq) {
  let [low, high] = [0, held.length];
  while (low < high) {
    const middle = low + high >> 1;
    if (held[middle].seq < seq) low = middle + 1;
    else high = middle;
  }
  return held[low]?.seq === seq ? low : -1;
}
var redacted = (held, target, seq) => withChange(held, target, seq, (message) => tombstone(message, seq));
function edited(held, { target, seq, text, data, n }) {
  if (target === void 0 || text === void 0) return held;
  return withChange(held, target, seq, (message) => {
    if (message.redacted) return { ...message, as_of: seq };
    const { data: before, ...rest } = message;
    const now = { ...rest, text, ...n !== void 0 && { edited: n }, as_of: seq };
    return data === void 0 ? now : { ...now, data };
  });
}
function swept(held, { member, from, to }, asOf) {
  const isMeant = ({ seq, member: by, redacted: redacted2 }) => by === member && from <= seq && seq <= to && !redacted2;
  return held.some(isMeant) ? held.map((message) => isMeant(message) ? tombstone(message, asOf) : message) : held;
}
function reacted(held, { seq, target, name, by, on, count }) {
  let isWhole = true;
  if (target === void 0 || name === void 0 || by === void 0 || count === void 0) return { held, isWhole };
  const now = withChange(held, target, seq, (message) => {
    const reactions = message.reactions ?? [];
    const named = (reactions.find((reaction) => reaction.name === name)?.by ?? []).filter((other) => other !== by);
    const people = on && named.length < NAMED_MAX && !message.redacted ? [...named, by] : named;
    isWhole = people.length >= Math.min(NAMED_MAX, count) || message.redacted === true;
    return withReactions({ ...message, as_of: seq }, counted(reactions, { name, count, by: people }));
  });
  return { held: now, isWhole };
}
function counted(reactions, now) {
  if (now.count === 0) return reactions.filter(({ name }) => name !== now.name);
  const index = reactions.findIndex(({ name }) => name === now.name);
  return index < 0 ? [...reactions, now] : reactions.with(index, now);
}
function withReactions(message, now) {
  const { reactions, ...rest } = message;
  return now.length === 0 || message.redacted ? rest : { ...rest, reactions: now };
}

// src/reduce.ts
function reduce(state, frame, asked) {
  const next = change(state, frame, asked);
  return next === state ? state : settled(trimmed(next));
}
function change(state, frame, asked) {
  if (frame.type === "joined") return joined(state, frame);
  if (frame.type === "room_closed") {
    return frame.epoch === state.epoch ? ended(state, { why: "closed", reason: frame.reason }) : state;
  }
  if (state.epoch === null) return state;
  switch (frame.type) {
    case "history":
      return asked ? history(state, frame, asked) : state;
    case "changes":
      return changes(state, frame);
    case "members":
      return asked ? members(state, frame, asked) : state;
    // What was taken back since may still be counted in an answer that was overtaken.
    case "read":
      return { ...state, read: laterRead(state.read, frame), readDue: state.due > frame.as_of ? state.due : state.readDue };
  }
  if (state.status !== "live") return state;
  switch (frame.type) {
    case "gap":
      return gap(state, frame);
    case "typing":
      return { ...state, typing: frame.members };
    case "live":
      return { ...state, growing: growing(state.growing, frame) };
    case "signals":
      return { ...state, signals: frame.signals };
    case "presence":
      return { ...state, membersTotal: frame.members, online: frame.online };
  }
  if (isEvent(frame)) return event(state, frame);
  return frame.type === "member_left" ? left(state, frame) : state;
}
function isEvent(frame) {
  return frame.type !== "ack" && frame.room !== void 0 && frame.seq !== void 0 && frame.at !== void 0;
}
function event(state, frame) {
  const { seq } = frame;
  if (seq <= state.seq) return state;
  const at = seq === state.seq + 1 ? state : missed(state, state.seq + 1, seq - 1, seq - 1);
  const known = misses(at) ? at.known : Math.max(at.known, seq);
  const apply = EVENTS[frame.type];
  const membersAt = MEMBER_EVENTS.has(frame.type) ? seq : at.membersAt;
  return { ...at, seq, known, ...apply?.({ ...at, seq, known }, frame), membersAt };
}
function trimmed(state, rest = state.heldMax - (state.heldMax >> 2)) {
  const { length } = state.messages;
  if (length <= state.heldMax) return state;
  const messages = state.messages.slice(length - rest);
  const from = messages[0]?.seq ?? state.seq + 1;
  const hole = state.hole && state.hole.after >= from - 1 ? state.hole : null;
  return { ...state, messages, from, hole, more: true };
}
var MEMBER_EVENTS = /* @__PURE__ */ new Set(["member_joined", "member_left", "member_changed", "role_changed"]);
var EVENTS = {
  message: (state, frame) => ({
    messages: [...state.messages, messageOf(frame, frame.seq)],
    typing: state.typing.filter((member) => member !== frame.member),
    members: changedMember(state.members, frame.member, (member) => member.online ? member : { ...member, online: true })
  }),
  redacted: (state, { target, seq }) => target === void 0 ? {} : { messages: redacted(state.messages, target, seq), due: seq, ...readAgain(state, seq, target, target) },
  edited: (state, frame) => ({ messages: edited(state.messages, frame), due: frame.seq }),
  swept: (state, { member, from, to, seq }) => member === void 0 || from === void 0 || to === void 0 ? {} : {
    messages: swept(state.messages, { member, from, to }, seq),
    due: seq,
    ...readAgain(state, seq, from, to)
  },
  reacted(state, frame) {
    const { held, isWhole } = reacted(state.messages, frame);
    return { messages: held, due: frame.seq, ...isWhole ? {} : { known: Math.min(state.known, frame.seq - 1) } };
  },
  member_joined: (state, { member, nick, color, role, data }) => {
    const now = { member, nick, color, role, online: true, ...data !== void 0 && { data } };
    const others = state.members.filter((other) => other.member !== member);
    return { members: sorted([...others, now]), membersTotal: state.membersTotal + (others.length === state.members.length ? 1 : 0) };
  },
  member_left: left,
  member_changed(state, frame) {
    const isOwn = frame.member === state.you?.member;
    if (isOwn && frame.seq < state.entered) return {};
    const members2 = changedMember(state.members, frame.member, (member) => shownAs(member, frame));
    return { members: members2, you: isOwn && state.you ? shownAs(state.you, frame) : state.you };
  },
  topic_changed: (_, { topic }) => ({ topic }),
  settings_changed: (_, { settings }) => ({ settings }),
  role_changed(state, { member, role }) {
    const members2 = changedMember(state.members, member, (other) => ({ ...other, role }));
    return { members: members2, you: state.you?.member === member ? { ...state.you, role } : state.you };
  },
  notices_changed: (_, { notices }) => ({ notices, online: null, listedTo: 0 })
};
function readAgain({ read, readDue }, seq, from, to) {
  const counts = read !== null && to > read.through && from <= read.as_of && seq > read.as_of;
  return counts ? { readDue: Math.max(readDue, seq) } : {};
}
var sorted = (members2) => [...members2].sort((a, b) => a.member - b.member);
function changedMember(members2, number, change2) {
  const index = members2.findIndex(({ member }) => member === number);
  const before = members2[index];
  const now = before && change2(before);
  return now === before || now === void 0 ? members2 : members2.with(index, now);
}
function shownAs(member, { nick, data }) {
  const { data: before, ...rest } = member;
  const now = data === void 0 ? before : data;
  return { ...rest, nick: nick ?? member.nick, ...now != null && { data: now } };
}
function left(state, { member, seq, reason, by, until }) {
  if (member === state.you?.member) {
    if (seq !== void 0 && seq < state.entered) return state;
    return ended(state, { why: reason, ...by !== void 0 && { by }, ...until !== void 0 && { until } });
  }
  const members2 = state.members.filter((other) => other.member !== member);
  const wasListed = members2.length < state.members.length;
  const wasCounted = wasListed || state.listedTo !== null && member > state.listedTo;
  return { ...state, members: members2, membersTotal: state.membersTotal - (wasCounted ? 1 : 0), typing: state.typing.filter((other) => other !== member) };
}
function growing(before, { target, text }) {
  const { [target]: _, ...others } = before;
  return text === null ? others : { ...others, [target]: text };
}
function joined(state, frame) {
  const { epoch, seq, sees = 0, as_of, changed_at } = frame;
  const isSame = epoch === state.epoch;
  const next = {
    ...state,
    ...NOTHING_SHOWN,
    code: frame.room,
    epoch,
    seq,
    status: "live",
    ended: null,
    you: frame.you,
    entered: frame.entered ?? 0,
    members: sorted(frame.members),
    membersTotal: frame.members_total,
    membersAt: seq,
    listedTo: frame.members.length < frame.members_total ? frame.members.slice(1).at(-1)?.member ?? 0 : null,
    notices: frame.notices ?? "told",
    online: null,
    topic: frame.topic ?? "",
    settings: frame.settings ?? {},
    read: laterRead(isSame ? state.read : null, frame.read),
    readDue: isSame ? state.readDue : 0,
    readTo: isSame ? state.readTo : 0
  };
  if (isSame && seq === state.seq) return above(next, sees);
  const history2 = merged([], frame.history, as_of ?? seq);
  const from = frame.more ? history2[0]?.seq ?? seq + 1 : 1;
  const due = changed_at ?? 0;
  return { ...next, messages: history2, from, more: frame.more, hole: null, isBare: false, known: Math.max(seq, as_of ?? seq), due };
}
function above(state, floor) {
  if (state.from > floor) return state;
  const hole = state.hole && state.hole.through > floor ? { ...state.hole, after: Math.max(state.hole.after, floor) } : null;
  return { ...state, messages: state.messages.filter(({ seq }) => seq > floor), hole };
}
function gap(state, frame) {
  if (frame.epoch !== state.epoch || frame.to <= state.seq) return state;
  const from = Math.min(frame.from, state.seq + 1);
  const past = missed(state, from, frame.to, frame.ended ? frame.to : frame.changed_at ?? 0);
  if (frame.ended) return ended(past, { why: "left", isMissed: true });
  const members2 = frame.members ?? [];
  const own = members2.find(({ member }) => member === state.you?.member);
  const total = frame.members_total ?? members2.length;
  return {
    ...past,
    you: own ?? past.you,
    members: sorted(members2),
    membersTotal: total,
    membersAt: frame.to,
    listedTo: members2.length < total ? members2.filter((other) => other !== own).at(-1)?.member ?? 0 : null,
    notices: frame.notices ?? past.notices,
    topic: frame.topic ?? past.topic,
    settings: frame.settings ?? {}
  };
}
function history(state, { epoch, messages, more_before, more_after, as_of }, asked) {
  const { hole } = state;
  if (epoch !== state.epoch) return state;
  const known = state.due > as_of ? Math.min(state.known, as_of) : state.known;
  if (asked.before === state.from) {
    if (messages.length === 0 && more_before) return state;
    const from = more_before ? messages[0].seq : 1;
    const heldMax = state.heldMax + (state.isBare ? 0 : messages.length);
    return { ...state, known, messages: merged(state.messages, messages, as_of), from, more: more_before, isBare: false, heldMax };
  }
  if (hole === null || asked.after !== hole.after || messages.length === 0 && more_after) return state;
  const within = messages.filter(({ seq }) => seq <= hole.through);
  const isFilled = !more_after || within.length < messages.length;
  const last = within.at(-1)?.seq ?? 0;
  const after = isFilled ? Math.max(last, Math.min(hole.through, asked.through)) : last;
  const rest = after < hole.through ? { ...hole, after } : null;
  return { ...state, known, messages: merged(state.messages, within, as_of), hole: rest };
}
function changes(state, frame) {
  const { epoch, through, as_of } = frame;
  if (epoch !== state.epoch) return state;
  const held = new Set(state.messages.map(({ seq }) => seq));
  const isGone = new Set(frame.messages.flatMap((message) => "gone" in message ? [message.seq] : []));
  const now = frame.messages.flatMap((message) => "gone" in message || !held.has(message.seq) ? [] : [message]);
  const left2 = state.messages.filter(({ seq, as_of: asOf }) => !isGone.has(seq) || asOf > as_of);
  let messages = merged(left2, now, as_of);
  for (const range of frame.swept ?? []) messages = swept(messages, range, as_of);
  const known = Math.max(state.known, through);
  return { ...state, messages, known: state.due > known ? known : Math.max(known, state.seq) };
}
function members(state, frame, asked) {
  const after = asked.after;
  if (after !== 0 && after !== state.listedTo) return state;
  const last = frame.more ? frame.members.at(-1)?.member ?? after : Infinity;
  const others = state.members.filter(({ member }) => member <= after || member > last);
  const you = frame.members.find(({ member }) => member === state.you?.member) ?? state.you;
  const all = sorted([...others, ...frame.members]);
  return { ...state, you, members: all, membersTotal: frame.members_total, listedTo: frame.more ? last : null };
}
var forgotten = (state) => settled(dropped(state));
var holding = (state, heldMax) => settled(trimmed({ ...state, heldMax }, heldMax));

// src/room.ts
var Room = class extends Emitter {
  #host;
  #outbox;
  #state;
  #entrance;
  #isMaker;
  /** It was asked for, and has not been answered. */
  #isEntering = false;
  #tries = 0;
  /** Of whoever has asked to come in, and is not in yet. */
  #entered = null;
  /** Of those who want in: now, or anew once it is left. */
  #failing = [];
  #leaving = null;
  #isAsking = false;
  /** What the server refuses to tell on this connection. */
  #unanswered = /* @__PURE__ */ new Set();
  #stopPauses = {};
  #typingUntil = 0;
  /** @internal */
  constructor(host, code, entrance, isMaker, outbox = []) {
    super();
    this.#host = host;
    this.#state = newRoom(code);
    this.#entrance = entrance;
    this.#isMaker = isMaker;
    this.#outbox = new Outbox({
      clock: host.clock,
      state: () => this.#state,
      ask: (frame, done) => host.ask(frame, done, this),
      onChange: () => {
        host.save();
        this.emit("change", this.#state);
      },
      onRefused: (refused) => this.emit("refused", refused)
    }, outbox);
  }
  /** What is known of the room. Another object whenever anything has changed, and never the same one changed. */
  get state() {
    return this.#state;
  }
  get code() {
    return this.#state.code;
  }
  get messages() {
    return this.#state.messages;
  }
  get members() {
    return this.#state.members;
  }
  /** What waits to be sent, in order. */
  get pending() {
    return this.#outbox.entries;
  }
  /**
   * Says something, and resolves once it stands in the log. It waits while there is no connection, is sent once and in order, and never into
   * another life of the room: then it fails with `epoch_changed`. `key` (one's own, or drawn) tells which message it became.
   */
  send(text, { key = newKey(), data, replyTo } = {}) {
    this.#typingUntil = 0;
    return this.#push({ type: "send", text: text || void 0, data, reply_to: replyTo }, key);
  }
  /** Says something else in a message of one's own: `text` and `data` are all that it says from now on. Waits like `send`. */
  edit(target, text, { key = newKey(), data } = {}) {
    return this.#push({ type: "edit", target, text: text || void 0, data }, key);
  }
  /** Reacts to a message, or does not any more. Waits like `send`. */
  react(target, name, on = true, { key = newKey() } = {}) {
    return this.#push({ type: "react", target, name, on }, key);
  }
  redact(target) {
    return this.command({ type: "redact", target });
  }
  /** Holds earlier messages, too; whether there are more is `state.more`. */
  async history(limit = 50) {
    const { from, more } = this.#state;
    if (more) this.#ingest(await this.command({ type: "history", before: from, limit }), { type: "history", before: from });
    return this.#state.messages;
  }
  /**
   * Lists the members anew, or, in a big room, those after a number (`state.listedTo`): that somebody has lost their connection, and is not
   * `online` any more, is told to nobody.
   */
  async listMembers(after = 0) {
    const { epoch, membersAt } = this.#state;
    const answer = await this.command({ type: "members", after: after || void 0 });
    const isLate = epoch !== this.#state.epoch || membersAt !== this.#state.membersAt;
    if (!isLate) this.#ingest(answer, { type: "members", after });
    return this.#state.members;
  }
  /** Holds at most so many messages from now on, beside those that `history` adds from now on; past that the oldest go, a quarter at a time. */
  hold(messages) {
    if (this.#state.heldMax !== messages) this.#set(holding(this.#state, messages));
  }
  /** Says how far one has read; all of it, where nothing is named. It is told as soon as it can be, and to one's other devices. */
  read(through = this.#state.seq) {
    this.#set(readUpTo(this.#state, through), true);
  }
  /** Shows that one is writing, or is not any more; it may be called for each key that is pressed. */
  typing(on = true) {
    const now = this.#host.clock.now();
    if (this.#state.status !== "live" || on === now < this.#typingUntil) return;
    this.#typingUntil = on ? now + TYPING_RENEWAL_MS : 0;
    this.#host.tell({ type: "typing", room: this.code, on });
  }
  /** Shows what a message of one's own says so far; null once it does not grow any more. */
  live(target, text) {
    this.#host.tell({ type: "live", room: this.code, target, text });
  }
  /** Shows something of oneself for 30 seconds; null takes it away. */
  signal(name, data) {
    this.#host.tell({ type: "signal", room: this.code, name, data });
  }
  /** Changes what one is shown as; what is not named stays. */
  async me(change2) {
    const said = snapshot(change2);
    await this.command({ type: "me", ...change2 });
    const { nick, data } = said;
    if (nick !== void 0) this.#entrance.nick = nick;
    if (data === null) delete this.#entrance.data;
    else if (data !== void 0) this.#entrance.data = data;
    this.#host.save();
  }
  settings(change2) {
    return this.command({ type: "settings", ...change2 });
  }
  topic(topic) {
    return this.command({ type: "topic", topic });
  }
  kick(member) {
    return this.command({ type: "kick", member });
  }
  ban(member, options = {}) {
    return this.command({ type: "ban", member, ...options });
  }
  bans(after = 0) {
    return this.command({ type: "bans", after });
  }
  /** Any command of docs/protocol.md in this room, as it is; answered by its answer, and asked once. */
  command(frame) {
    return new Promise((resolve, reject) => {
      const done = (answer) => answer instanceof ChatError ? reject(answer) : resolve(answer);
      this.#host.ask({ ...frame, room: this.code }, done, this);
    });
  }
  /** Leaves, and is done with the room: now, or as soon as there is a connection. What was not tried yet is not sent any more. */
  leave() {
    return new Promise((resolve) => {
      this.#outbox.clear(isOut(), { waits: true });
      if (this.#leaving !== null) return void this.#leaving.push(resolve);
      this.#leaving = [resolve];
      if (this.#state.status === "live") this.#askToLeave();
      else if (this.#state.status === "ended" || this.#tries === 0) this.#gone();
    });
  }
  /** @internal Enters, and resolves once one is in. */
  enter(entrance, isMaker) {
    [this.#entrance, this.#isMaker, this.#tries] = [entrance, isMaker, 0];
    this.#set({ ...this.#state, status: "joining", ended: null });
    return new Promise((resolve, reject) => {
      this.#fail(new ChatError("closed", "it was asked for anew"));
      this.#entered = resolve;
      this.#failing = [reject];
      this.#ask();
    });
  }
  /** @internal The position to name when coming back. */
  get position() {
    const { status } = this.#state;
    return status === "ended" || status === "joining" ? null : positionOf(this.#state);
  }
  /** @internal */
  get stored() {
    const { code, status } = this.#state;
    if (code === null || this.#leaving !== null || status === "ended") return null;
    const { secret, params, ...entrance } = this.#entrance;
    return { code, entrance, outbox: this.#outbox.entries };
  }
  /** @internal It is on its way out: whoever wants in waits for that. */
  get isLeaving() {
    return this.#leaving !== null;
  }
  /** @internal Resolves once it is left, and fails where the client does not come back. */
  left() {
    return new Promise((resolve, reject) => {
      this.#leaving.push(resolve);
      this.#failing.push(reject);
    });
  }
  /** @internal Whether a room under a code that nobody has heard yet may be this one. */
  get isUnnamed() {
    return this.#state.code === null && this.#tries > 0;
  }
  /** @internal */
  named(code) {
    this.#state = { ...this.#state, code };
  }
  /** @internal The connection is lost; with `isSuspect` what was said may be why. */
  disconnected(isSuspect) {
    for (const stop of Object.values(this.#stopPauses)) stop();
    [this.#stopPauses, this.#isAsking, this.#isEntering, this.#typingUntil] = [{}, false, false, 0];
    this.#unanswered.clear();
    this.#set(disconnected(this.#state));
    this.#outbox.pause(isSuspect);
  }
  /** @internal What the server says of the room to a session that comes back; nothing where it does not know that one is in it. */
  welcomed(told) {
    const status = told?.status ?? "unknown";
    const isLive = status === "live" || status === "gap";
    if (status === "waiting") return;
    if (this.#leaving !== null) return isLive ? this.#askToLeave() : this.#gone();
    if (isLive) return this.#set(resumed(this.#state, told), true);
    if (this.#state.status === "ended") return;
    const isKnown = this.position !== null;
    const { reason, until } = told ?? {};
    if (isKnown && status === "closed") return this.#end({ why: "closed", isMissed: true });
    if (isKnown && status === "left" && (reason === "kicked" || reason === "banned")) {
      return this.#end({ why: reason, isMissed: true, ...until !== void 0 && { until } });
    }
    this.#ask();
  }
  /** @internal A frame of this room, and the command that it answers. */
  receive(frame, asked) {
    const before = this.#state;
    const next = reduce(before, frame, asked);
    const isTold = isEvent(frame) && next.seq === frame.seq && next.seq > before.seq;
    if (frame.type === "joined" && this.#leaving !== null) {
      this.#state = next;
      return this.#askToLeave();
    }
    if (frame.type === "joined") {
      this.#isEntering = false;
      this.#unanswered.clear();
      this.#entrance.nick = frame.you.nick;
      this.#isMaker = false;
    }
    if (isTold) this.#outbox.heard(frame);
    this.#set(next, true);
    if (isTold) {
      this.emit(frame.type, frame);
      this.emit("event", frame);
    }
    if (frame.type === "joined") {
      this.#entered?.(this);
      this.#entered = null;
      this.#host.save();
      this.emit("joined", this.#state);
    }
    if (next.status === "ended" && before.status !== "ended") this.#ended();
  }
  /** @internal The client does not come back by itself; with `isOver` the session was ended, and its memberships with it. */
  closed(error, isOver) {
    this.#fail(error);
    if (!isOver) return;
    this.#leaving ??= [];
    this.#gone();
  }
  /** @internal It may be in use in another tab: nothing of it is sent from here. */
  dropOutbox() {
    this.#outbox.clear(new ChatError("closed", "another tab has the session"));
  }
  #push(frame, key) {
    return new Promise((resolve, reject) => {
      const error = this.#state.status === "ended" || this.#leaving !== null ? isOut() : this.#host.over();
      if (error) return reject(error);
      this.#outbox.push(frame, key, (outcome) => outcome instanceof ChatError ? reject(outcome) : resolve(outcome));
    });
  }
  /** Takes a state; with `goesOn`, what is missing is asked for, and what waits is sent. */
  #set(next, goesOn = false) {
    const isNew = next !== this.#state;
    this.#state = next;
    if (goesOn) {
      this.#catchUp();
      this.#outbox.flush();
    }
    if (isNew) this.emit("change", this.#state);
  }
  /** An answer by which more is held; of another life of the room it says nothing. */
  #ingest(answer, asked) {
    if (answer instanceof ChatError || !("room" in answer) || answer.room !== this.code) return;
    this.#set(reduce(this.#state, answer, asked), true);
  }
  /** Asks for what was missed, one question at a time, until what is held equals the log. */
  #catchUp() {
    const asked = nextQuestion(this.#state, this.#unanswered);
    if (asked === null || this.#isAsking) return;
    this.#isAsking = true;
    const { epoch, membersAt, hole } = this.#state;
    this.#host.ask(asked, (answer) => {
      const before = this.#state;
      this.#isAsking = false;
      if (answer instanceof ChatError) {
        if (answer.code === "disconnected" || before.status !== "live") return;
        if (isPassing(answer) || answer.retryAfterMs !== void 0 || answer.code === "not_member") return this.#askLater(answer.retryAfterMs);
        if (asked.type === "changes") return this.#set(forgotten(before), true);
        this.#unanswered.add(asked.type);
        return this.#catchUp();
      }
      const isLate = epoch !== before.epoch || asked.type === "members" && membersAt !== before.membersAt;
      const next = isLate ? before : reduce(before, answer, { ...asked, through: hole?.through });
      if (JSON.stringify(nextQuestion(next, this.#unanswered)) === JSON.stringify(asked)) this.#askLater();
      this.#set(next, true);
    }, this);
  }
  #askLater(ms = PAUSE_MS) {
    this.#isAsking = true;
    this.#pause("asking", ms, () => {
      this.#isAsking = false;
      this.#catchUp();
    });
  }
  #pause(what, ms, then) {
    this.#stopPauses[what]?.();
    this.#stopPauses[what] = this.#host.clock.after(ms, then);
  }
  /** Goes in, after the position that is held: one that is of no use to the server counts as none. */
  #ask() {
    const { code, status } = this.#state;
    if (this.#isEntering || status === "live") return;
    this.#isEntering = true;
    const after = positionOf(this.#state);
    const where = { type: this.#isMaker ? "create" : "join", room: code ?? void 0 };
    this.#host.ask({ ...where, ...this.#entrance, ...after !== null && { after, catch_up: this.#host.catchUp } }, (answer) => {
      this.#isEntering = false;
      if (answer instanceof ChatError) this.#refused(answer);
    }, this);
    if (this.#isEntering) this.#tries += 1;
  }
  #refused(error) {
    const { epoch, status } = this.#state;
    const isKnown = epoch !== null;
    if (error.code === "disconnected" || status === "live") return;
    if (this.#leaving !== null) return this.#gone();
    if (error.code === "already_member") {
      this.#state = newRoom(this.code);
      return this.#pause("entering", PAUSE_MS, () => this.#host.restart());
    }
    const isFull = error.code === "at_capacity" && this.#entered !== null;
    if (isPassing(error) && !isFull || error.code === "nick_taken" && error.retryAfterMs !== void 0 && (isKnown || this.#tries > 1)) {
      return this.#pause("entering", error.retryAfterMs ?? PAUSE_MS, () => this.#ask());
    }
    this.#end({ why: error.code === "banned" ? "banned" : "refused", error, ...error.until !== void 0 && { until: error.until } });
    if (!isKnown) this.#host.remove(this);
  }
  #end(ending) {
    this.#set(ended(this.#state, ending));
    this.#ended();
  }
  #ended() {
    this.#outbox.clear(isOut());
    const { ended: ended2 } = this.#state;
    if (this.#leaving === null) this.#fail(ended2.error ?? isOut());
    this.emit("ended", ended2);
    if (this.#leaving !== null) this.#gone();
    this.#host.save();
  }
  #askToLeave() {
    this.#host.ask({ type: "leave", room: this.code }, (answer) => {
      if (answer instanceof ChatError && answer.code === "disconnected") return;
      if (answer instanceof ChatError && isPassing(answer)) return this.#pause("leaving", answer.retryAfterMs ?? PAUSE_MS, () => this.#askToLeave());
      this.#gone();
    }, this);
  }
  #gone() {
    this.#outbox.clear(isOut());
    if (this.#state.status !== "ended") this.#set(ended(this.#state, { why: "left" }));
    this.#host.remove(this);
    for (const resolve of this.#leaving ?? []) resolve();
    this.#leaving = null;
    this.#fail(isOut());
  }
  /** Whoever still waits to be let in is not. */
  #fail(error) {
    for (const fail of this.#failing) fail(error);
  }
};
var isOut = () => new ChatError("left", "one is not in the room");
function newKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

// src/sse.ts
var CLOSE_CODES = {
  auth_expired: CREDENTIALS_EXPIRED,
  forbidden: 4502,
  bad_token: 4502,
  bad_field: 4500,
  too_long: 4500
};
function sseAt(url, clock = systemClock, fetch = globalThis.fetch.bind(globalThis)) {
  return (hello, { onOpen, onFrame, onClose }) => {
    const over = new AbortController();
    const { signal } = over;
    const stream = { session: "", at: void 0, token: hello.resume ?? "" };
    let posts = Promise.resolve();
    let buffered = 0;
    let stopSilence = () => {
    };
    let unreachedSince = null;
    function stop() {
      stopSilence();
      over.abort();
    }
    function end(code, reason) {
      if (signal.aborted) return;
      stop();
      onClose(code, reason);
    }
    function heard() {
      stopSilence();
      stopSilence = clock.after(STREAM_SILENCE_MS_MAX, () => end(ABNORMAL, "silence"));
    }
    function tell(frame) {
      if (signal.aborted) return;
      if (frame.type === "welcome") {
        stream.session = frame.session;
        stream.at = frame.at;
      }
      if (frame.type === "welcome" || frame.type === "token") stream.token = frame.token ?? stream.token;
      onFrame(frame);
    }
    async function listen() {
      const catchUp = hello.catch_up === void 0 ? "" : `?catch_up=${hello.catch_up}`;
      const answer = await fetch(`${url}/sse${catchUp}`, { headers: headersOf(hello), cache: "no-store", signal });
      onOpen();
      if (!answer.ok || !answer.headers.get("content-type")?.startsWith("text/event-stream") || !answer.body) {
        const said = await answer.json().catch(() => ({}));
        const { code = "" } = said;
        if (said.type === "error") tell(said);
        return end(CLOSE_CODES[code] ?? (answer.status === 401 ? CREDENTIALS_EXPIRED : ABNORMAL), code);
      }
      heard();
      const reader = answer.body.getReader();
      const decoder = new TextDecoder();
      let text = "";
      for (; ; ) {
        const { done, value } = await reader.read();
        if (done) return end(ABNORMAL, "the stream ended");
        heard();
        const events = (text + decoder.decode(value, { stream: true })).split("\n\n");
        text = events.pop();
        for (const event2 of events) {
          const data = event2.split("\n").filter((line) => line.startsWith("data:")).map((line) => line.slice(5)).join("\n");
          if (data !== "") tell(JSON.parse(data));
        }
      }
    }
    async function post(frame) {
      if (signal.aborted) return;
      const id = frame.id;
      const at = stream.at === void 0 ? "" : `?at=${encodeURIComponent(stream.at)}`;
      const answer = await fetch(`${url}/sse/${stream.session}${at}`, {
        method: "POST",
        body: JSON.stringify(frame),
        cache: "no-store",
        signal,
        headers: { authorization: `Bearer ${stream.token}`, "content-type": "application/json" }
      });
      const isPassing2 = answer.status === 503;
      const said = await answer.json().catch((error) => {
        if (answer.status === 413) return { type: "error", code: "too_long", message: "this is longer than is taken" };
        if (!isPassing2) throw error;
        return void 0;
      });
      const isReached = said !== void 0 && (!isPassing2 || said.type === "error" && said.id === id);
      if (isReached) {
        unreachedSince = null;
        if (said.type !== "ack" || frame.type !== "join" && frame.type !== "create") tell({ id, ...said });
        return;
      }
      unreachedSince ??= clock.now();
      if (clock.now() - unreachedSince > STREAM_SILENCE_MS_MAX) return end(ABNORMAL, "no way to the server of the stream");
      tell({ type: "error", code: "unavailable", message: "out of reach", id });
    }
    const lost = (error) => end(ABNORMAL, String(error));
    listen().catch(lost);
    return {
      send(frame) {
        const { length } = JSON.stringify(frame);
        buffered += length;
        posts = posts.then(() => post(frame)).catch(lost).finally(() => {
          buffered -= length;
        });
      },
      close: stop,
      buffered: () => buffered
    };
  };
}
function headersOf({ resume, positions = {}, token }) {
  const list = Object.entries(positions).map(([room, position]) => `${room}:${position}`);
  return { ...resume !== void 0 && { "last-event-id": `${resume}~${list}` }, ...token !== void 0 && { authorization: `Bearer ${token}` } };
}

// src/storage.ts
var keyOf = (url) => `chat ${url}`;
function load(storage, url) {
  let text = null;
  try {
    text = storage.getItem(keyOf(url));
    const { token, rooms } = JSON.parse(text);
    const sound = listOf(rooms).filter(isRoom).map((room) => ({ ...room, outbox: listOf(room.outbox).filter(isEntry) }));
    return { token: typeof token === "string" ? token : null, rooms: sound, text };
  } catch {
  }
  return { token: null, rooms: [], text };
}
var listOf = (value) => Array.isArray(value) ? value : [];
var isRoom = (room) => typeof room?.code === "string" && typeof room.entrance?.nick === "string";
var isEntry = (entry) => typeof entry?.key === "string" && typeof entry.frame?.type === "string" && (entry.epoch === null || typeof entry.epoch === "string") && (entry.member === null || typeof entry.member === "number");
function store(storage, url, { token, rooms }, tab, found) {
  try {
    const key = keyOf(url);
    const before = storage.getItem(key) ?? null;
    if (before !== null && before !== found && !before.includes(tab)) return;
    if (token === null && rooms.length === 0) storage.removeItem(key);
    else if (rooms.length > 0 || before !== null) storage.setItem(key, JSON.stringify({ token, rooms, tab }));
  } catch {
  }
}
function sessionStorageOf(scope) {
  try {
    return scope.sessionStorage ?? null;
  } catch {
    return null;
  }
}
var Claims = class {
  #locks = globalThis.navigator?.locks;
  #clock;
  #claim = null;
  constructor(clock) {
    this.#clock = clock;
  }
  /** Whether sessions can be claimed here at all; where not, two tabs take one from each other, and the server closes the older one. */
  get areKept() {
    return this.#locks !== void 0;
  }
  /** Claims a session until `release`, in place of the one before; false where another tab has it. Who asks again meanwhile waits for the same answer. */
  claim(token) {
    const name = `chat ${token.split(".")[0]}`;
    if (this.#claim?.name !== name) {
      this.release();
      this.#claim = this.#begin(name);
    }
    return this.#claim.isOurs;
  }
  release() {
    this.#claim?.release();
    this.#claim = null;
  }
  #begin(name) {
    let release = () => {
    };
    const isReleased = new Promise((done) => {
      release = done;
    });
    const request = () => new Promise((resolve) => {
      const hold = (lock) => {
        resolve(lock !== null);
        return lock === null ? void 0 : isReleased;
      };
      this.#locks.request(name, { ifAvailable: true }, hold).catch(() => resolve(true));
    });
    const again = () => new Promise((done) => {
      this.#clock.after(AGAIN_MS, () => done(request()));
    });
    return { name, release, isOurs: request().then((isOurs) => isOurs || again()) };
  }
};

// src/wake.ts
function watch(clock, onWake, onTick) {
  const scope = globalThis;
  const { document } = scope;
  const shown = () => {
    if (document?.visibilityState === "visible") onWake();
  };
  const over = new AbortController();
  for (const name of ["online", "offline", "pageshow"]) scope.addEventListener?.(name, onWake, over);
  document?.addEventListener?.("visibilitychange", shown, over);
  let stopTimer = () => {
  };
  const wait = (since) => {
    stopTimer = clock.after(TICK_MS, () => {
      const now = clock.now();
      if (now - since > 2 * TICK_MS) onWake();
      else onTick();
      wait(now);
    });
  };
  wait(clock.now());
  return () => {
    stopTimer();
    over.abort();
  };
}

// src/ws.ts
function webSocketAt(url, Socket = WebSocket) {
  return (hello, { onOpen, onFrame, onClose }) => {
    const socket = new Socket(`${url.replace(/^http/, "ws")}/ws`, "chat.v1");
    socket.onopen = () => {
      onOpen();
      socket.send(JSON.stringify(hello));
    };
    socket.onmessage = ({ data }) => {
      try {
        data = JSON.parse(String(data));
      } catch {
        return;
      }
      onFrame(data);
    };
    socket.onclose = ({ code, reason }) => onClose(code ?? ABNORMAL, reason ?? "");
    socket.onerror = () => onClose(ABNORMAL, "refused");
    return {
      send: (frame) => socket.send(JSON.stringify(frame)),
      close() {
        socket.onopen = socket.onmessage = socket.onclose = null;
        socket.onerror = () => {
        };
        socket.close();
      },
      buffered: () => socket.bufferedAmount
    };
  };
}

// src/client.ts
var Client = class extends Emitter {
  #options;
  #url;
  #storage;
  /** By which this tab knows what it has stored. */
  #tab;
  /** What was stored when it began, as long as that may be taken up. */
  #found;
  #clock;
  #connection;
  #requests;
  #claims;
  #host;
  #asked = /* @__PURE__ */ new WeakMap();
  #claim = null;
  #rooms = [];
  #token;
  #why = "connect";
  #status = { name: "connecting" };
  #welcome = null;
  #heardAt = 0;
  #stopProbe = null;
  #stopWatch = null;
  /** @internal Use `connect`. */
  constructor(options) {
    super();
    this.#options = options;
    this.#url = (options.url ?? location.origin).replace(/\/+$/, "");
    this.#storage = options.storage === void 0 ? sessionStorageOf(globalThis) : options.storage;
    this.#tab = this.#storage === sessionStorageOf(globalThis) ? "" : newKey();
    this.#clock = options.clock ?? systemClock;
    this.#requests = new Requests(this.#clock, () => this.limits);
    this.#claims = new Claims(this.#clock);
    this.#host = {
      clock: this.#clock,
      catchUp: options.catchUp ?? HOLE_MAX,
      ask: (frame, done, room) => {
        this.#asked.set(frame, room);
        const closed = this.#closed;
        if (closed) done(closed);
        else this.#requests.ask(frame, done);
      },
      tell: (frame) => this.#tell(frame),
      save: () => this.#save(),
      over: () => this.#token === null ? this.#closed : null,
      restart: () => this.#connection.restart(),
      remove: (room) => {
        this.#rooms = this.#rooms.filter((other) => other !== room);
        this.#save();
      }
    };
    this.#connection = new Connection({
      clock: this.#clock,
      openers: this.#openers(),
      hello: () => this.#hello(),
      onFrame: (frame) => this.#receive(frame),
      onStatus: (status) => this.#onStatus(status)
    });
    const { token, rooms, text } = load(this.#storage, this.#url);
    this.#token = token;
    this.#found = text;
    this.#rooms = rooms.map(({ code, entrance, outbox }) => new Room(this.#host, code, entrance, false, outbox));
    this.connect();
  }
  get status() {
    return this.#status;
  }
  /** The rooms one is in, or is about to be in again. */
  get rooms() {
    return this.#rooms;
  }
  /** The bounds of the server, once it has said them. */
  get limits() {
    return this.#welcome?.limits ?? {};
  }
  /** Whether the server takes a command of this name. */
  has(feature) {
    return this.#welcome?.features?.includes(feature) ?? false;
  }
  /** Makes a room and joins it. Without a name (null) the server draws a code. */
  create(room, entrance) {
    return this.#enter(room, entrance, true);
  }
  /**
   * Joins a room; resolves once one is in, and waits for a connection where there is none. A room one is in already is given as it is. Fails as
   * refused, as `closed` where the client does not come back by itself, and as `at_capacity` where the server has no place.
   */
  join(room, entrance) {
    return this.#enter(room, entrance, false);
  }
  /** The room of this code, if one is in it. */
  room(code) {
    return this.#rooms.find((room) => room.code === code.toUpperCase());
  }
  /** Connects again, after `close()`, or where the server said not to come back. */
  connect() {
    this.#stopWatch ??= watch(this.#clock, () => this.#wake(), () => this.#tick());
    if (this.#closed) this.#status = { name: "connecting" };
    const token = this.#token;
    if (token === null || !this.#isClaimed) return this.#start();
    const claim = this.#claim = this.#claims.claim(token);
    void claim.then((isOurs) => {
      if (this.#claim !== claim) return;
      if (!isOurs && this.#token === token) {
        this.#found = null;
        this.#forget();
      }
      this.#start();
    });
  }
  /** What was found is this tab's from now on, and no other's: before anybody is replaced. */
  #start() {
    this.#save(this.#found);
    this.#connection.start();
  }
  /** Why nothing is asked any more, where it does not come back by itself. */
  get #closed() {
    const status = this.#status;
    return status.name === "closed" ? new ChatError("closed", status.reason) : null;
  }
  /** Whether the session is stored where another tab could take it up. */
  get #isClaimed() {
    return this.#storage !== null && this.#options.takesOver !== true && this.#claims.areKept;
  }
  /** Drops the connection, and opens another at once. */
  reconnect() {
    this.#connection.restart();
  }
  /** Ends the connection, and keeps the session: members see one go after the grace. */
  close() {
    this.#connection.close(1e3, "closed");
  }
  /**
   * Ends the session for good, with its rooms; with `all` every session of the person. Resolves once the server has said so, or that the
   * session is gone; fails where it has not, and then the session and its token are still there, to be ended later.
   */
  end({ all = false } = {}) {
    const wasOpen = this.#requests.isOpen;
    return new Promise((resolve, reject) => {
      this.#requests.ask({ type: "end", all: all || void 0 }, (answer) => {
        if (!(answer instanceof ChatError) || answer.code === "bad_token" && !all) this.#connection.close(SESSION_ENDED, "ended");
        const status = this.#status;
        if ("code" in status && status.code === SESSION_ENDED && (wasOpen || !all)) resolve();
        else reject(this.#closed ?? answer);
      });
    });
  }
  #openers() {
    const { transports = ["ws", "sse"], WebSocket: Socket = globalThis.WebSocket } = this.#options;
    const openers = transports.flatMap((name) => {
      if (typeof name !== "string") return [name];
      if (name === "sse") return [[name, sseAt(this.#url, this.#clock, this.#options.fetch)]];
      return Socket === void 0 ? [] : [[name, webSocketAt(this.#url, Socket)]];
    });
    if (openers.length === 0) throw new TypeError("there is no WebSocket: give one, or name `sse`");
    return openers;
  }
  #enter(code, given, isMaker) {
    const entrance = this.#closed ?? snapshot(given);
    if (entrance instanceof ChatError) return Promise.reject(entrance);
    const known = code === null ? void 0 : this.room(code);
    if (known?.isLeaving) return known.left().then(() => this.#enter(code, entrance, isMaker));
    if (known !== void 0 && known.state.status !== "ended") {
      return known.state.epoch === null ? known.enter(entrance, isMaker) : Promise.resolve(known);
    }
    const room = known ?? new Room(this.#host, code?.toUpperCase() ?? null, entrance, isMaker);
    if (known === void 0) this.#rooms = [...this.#rooms, room];
    return room.enter(entrance, isMaker);
  }
  #hello() {
    const { credentials } = this.#options;
    const with_ = (token) => {
      const resume = this.#token;
      const named = this.#rooms.flatMap((room) => room.position === null ? [] : [[room.code, room.position]]);
      const back = resume !== null && { resume, positions: Object.fromEntries(named), catch_up: this.#host.catchUp };
      return { type: "hello", id: 0, ...back, ...token !== void 0 && { token } };
    };
    if (typeof credentials !== "function") return with_(credentials);
    return this.#ask(credentials, this.#why).then((token) => {
      this.#why = "connect";
      return with_(token);
    });
  }
  /** What the program gives to be shown; it may take its time, but not for ever. */
  async #ask(credentials, why) {
    let stop = () => {
    };
    try {
      const late = new Promise((_, fail) => {
        stop = this.#clock.after(CREDENTIALS_MS_MAX, () => fail("they take too long"));
      });
      const token = await Promise.race([late, Promise.resolve(why).then(credentials)]);
      if (typeof token !== "string") throw "they are no text";
      return token;
    } catch (reason) {
      const error = new ChatError("no_credentials", String(reason));
      this.emit("error", error);
      throw error;
    } finally {
      stop();
    }
  }
  #tell(frame) {
    if (this.#connection.buffered > BUFFERED_MAX) return;
    const said = snapshot(frame, this.limits.frame_bytes);
    if (said instanceof ChatError) this.emit("error", said);
    else this.#connection.send(said);
  }
  #onStatus(status) {
    this.#status = status;
    if (status.name === "open") {
      this.#requests.open((frame) => this.#connection.send(frame), () => this.#connection.restart(ABNORMAL));
    }
    if ("code" in status) {
      if (status.code === CREDENTIALS_EXPIRED) this.#why = "expired";
      this.#stopProbing();
      const closed = this.#closed;
      for (const room of this.#rooms) {
        room.disconnected(isUnexplained(status.code));
        if (closed) room.closed(closed, status.code === SESSION_ENDED);
      }
      this.#requests.close();
      if (closed) {
        if (status.code === REPLACED || status.code === SESSION_ENDED) this.#forget();
        this.#stopWatch?.();
        this.#stopWatch = null;
        this.#claims.release();
        this.#claim = null;
      }
    }
    this.emit("status", status);
  }
  #receive(frame) {
    this.#heardAt = this.#clock.now();
    this.#stopProbing();
    const request = this.#requests.take(frame);
    switch (frame.type) {
      case "welcome":
        this.#welcomed(frame);
        break;
      case "token":
        this.#keep(frame.token);
        break;
      case "resumed":
        this.room(frame.room)?.welcomed(frame);
        break;
      case "auth_expiring":
        this.#renew();
        break;
      case "error":
        if (request === void 0) this.emit("error", ChatError.of(frame));
        break;
      case "joined":
        this.#joined(frame, request?.frame);
        break;
      default:
        if (request === void 0 && "room" in frame && frame.room !== void 0) this.room(frame.room)?.receive(frame);
    }
    request?.done(frame.type === "error" ? ChatError.of(frame) : frame);
    this.emit("frame", frame);
  }
  #welcomed(frame) {
    this.#welcome = frame;
    if (frame.token !== void 0) this.#keep(frame.token);
    const { rooms } = frame;
    for (const { room, status } of rooms) {
      if (["live", "gap", "waiting"].includes(status) && !this.room(room)) this.#rooms.find(({ isUnnamed }) => isUnnamed)?.named(room);
    }
    for (const held of this.#rooms) held.welcomed(rooms.find(({ room }) => room === held.code) ?? null);
  }
  #joined(frame, asked) {
    let room = (asked && this.#asked.get(asked)) ?? this.room(frame.room);
    if (room === void 0) {
      const { nick, data } = frame.you;
      room = new Room(this.#host, frame.room, { nick, ...data && { data } }, false);
      this.#rooms = [...this.#rooms, room];
      this.emit("room", room);
    }
    room.receive(frame, asked);
  }
  #keep(token) {
    const session = (of) => of?.split(".")[0];
    const isNew = session(token) !== session(this.#token);
    this.#token = token;
    if (isNew && this.#isClaimed) void this.#claims.claim(token);
    this.#save();
  }
  #forget() {
    this.#token = null;
    for (const room of this.#rooms) room.dropOutbox();
    this.#save();
  }
  #save(found = null) {
    store(this.#storage, this.#url, { token: this.#token, rooms: this.#rooms.flatMap((room) => room.stored ?? []) }, this.#tab, found);
  }
  /** What was given to the server runs out: another is shown before it does. */
  #renew() {
    const { credentials } = this.#options;
    if (typeof credentials !== "function") return;
    const show = (token) => this.#requests.ask({ type: "auth", token }, (answer) => {
      if (answer instanceof ChatError && answer.code !== "disconnected") this.emit("error", answer);
    });
    this.#ask(credentials, "expiring").then(show, () => {
    });
  }
  /** Something has happened to the page or the network: what is there is asked whether it lives, and what waits is tried at once. */
  #wake() {
    this.#connection.retryNow();
    this.#probe();
  }
  #tick() {
    if (this.#clock.now() - this.#heardAt > SILENCE_MS_MAX) this.#probe();
  }
  #probe() {
    if (!this.#connection.isOpen || this.#stopProbe !== null) return;
    this.#stopProbe = this.#clock.after(PROBE_MS_MAX, () => this.#connection.restart());
    const room = this.#rooms.find(({ state }) => state.status === "live")?.code ?? "NONE";
    this.#requests.ask({ type: "history", room, limit: 0 }, () => {
    });
  }
  #stopProbing() {
    this.#stopProbe?.();
    this.#stopProbe = null;
  }
};
var connect = (options = {}) => new Client(options);
export {
  ChatError,
  connect,
  isChatError,
  isEvent,
  newRoom,
  reduce,
  sseAt,
  webSocketAt
};
