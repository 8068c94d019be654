// A room of the page: what the client holds of it, and what this page alone knows, as its notices, a draft, and what was not sent.

import { newRoom } from './client.js';
import { comingOf, endingOf, errorWords, noticeWords, refusedWords } from './words.js';

/** Messages held while the reader is at the newest one; older ones are paged in again. */
const HELD = 2_000;
/** Messages held in any case. */
const HELD_MAX = 8_000;
/** So long after one has come to the newest, what is too much is let go. */
const LET_GO_MS = 500;
const HISTORY_PAGE = 50;

/** What each role is above: nobody acts on an equal or a higher one. One that this page does not know is that of a member. */
const RANKS = { owner: 2, moderator: 1 };
const rank = role => RANKS[role] ?? 0;

/** Whether one keeps order in the room: puts members out, takes back what they said, sets the topic. */
export const moderates = room => rank(room.you?.role) > 0;

/** Whether one is above this member, as far as the page knows them: who is not listed is taken for a member. */
export function isAbove(room, member) {
  const listed = room.members.find(other => other.member === member);
  return rank(room.you?.role) > rank(listed?.role);
}

export const isMine = (room, message) => room.selves.includes(message.member);

/** A key nobody else draws: 128 random bits. */
const newKey = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), byte => byte.toString(16).padStart(2, '0')).join('');

/** A room of this page; `saved` is what the page before this one knew of it, `onChange()` hears of every change, and `onDraft()` of what is being written, which is on screen already. */
export class PageRoom {
  #onChange;
  #onDraft;
  /** The room of the client, once there is one. */
  #held = null;
  #stop = () => {};
  #state;
  /** The state before the last change: by it the people of an event are named. */
  #before;
  #view = null;
  /** Its `joined` has been taken. */
  #isEntered = false;
  /** One is making it: of what follows one has not been before. */
  #isMaking = false;
  #loading = null;
  #loadError = null;
  #notices = [];
  #failed;
  /** Said, and not told yet. */
  #acked = [];
  /** What was taken back while a page was being read, which may be older than that: numbers, and ranges of a member's. */
  #taken = [];
  /** What was said in the room before one made it again. */
  #past = [];
  #pending = [];
  /** When each message was written that is not told yet, by its key. */
  #written;
  /** Messages of this page keep the place on screen that they had while they waited. */
  #keys;
  /** Being read right now: shown in a visible page, at its newest entry. */
  #isWatched = false;
  #isShown = false;
  #following = true;
  #letting = null;
  #unread = 0;
  #firstUnread = null;
  #unreadBefore = null;
  /** What was new when one came to it: `{ from, count, isMore }`, marked until one looks at another room or away. */
  #news = null;
  /** The end of what was read; null where nothing was. */
  #readSeq;
  /** One's own numbers in this life of the room: another one with each time one was put out. */
  #selves;
  #epoch;
  #ended;
  #draft;
  #slowUntil = 0;
  /** Another life of the room than the one known before, in which the person has not said that they stay. */
  #isRenewed;
  #left = null;

  constructor(saved, { onChange, onDraft }) {
    this.#onChange = onChange;
    this.#onDraft = onDraft;
    this.code = saved.code;
    this.nick = saved.nick ?? '';
    this.isLeaving = saved.isLeaving ?? false;
    this.#state = this.#before = newRoom(saved.code);
    this.#epoch = saved.epoch ?? null;
    this.#readSeq = saved.readSeq ?? null;
    this.#selves = saved.selves ?? [];
    this.#draft = saved.draft ?? '';
    this.#ended = saved.ended ?? null;
    this.#isRenewed = saved.isRenewed ?? false;
    this.#failed = saved.failed ?? [];
    this.#written = new Map(saved.written ?? []);
    this.#keys = new Set(this.#written.keys());
  }

  /** What the page after this one takes up; the client stores how to come back, and what waits to be sent. */
  get saved() {
    return {
      code: this.code, nick: this.nick, epoch: this.#epoch, readSeq: this.#readSeq, selves: this.#selves, draft: this.#draft,
      ended: this.#ended, isRenewed: this.#isRenewed, isLeaving: this.isLeaving, failed: this.#failed, written: [...this.#written],
    };
  }

  get isHeld() {
    return this.#held !== null;
  }
  get isEnded() {
    return this.#ended !== null;
  }

  /** Follows a room of the client from now on. */
  bind(held) {
    if (held === this.#held) return;
    this.#stop();
    this.#held = held;
    const stops = [
      held.on('change', state => this.#follow(state)),
      held.on('event', frame => this.#notice(frame)),
      held.on('joined', state => this.#joined(state)),
      held.on('ended', ending => this.#end(ending)),
      held.on('refused', refused => this.#refused(refused)),
    ];
    this.#stop = () => stops.forEach(stop => stop());
    this.#follow(held.state);
    if (held.state.status === 'live') this.#joined(held.state);
    else held.hold(HELD);
  }

  unbind() {
    this.#stop();
    clearTimeout(this.#letting);
    this.#held = null;
  }

  /** What is shown of the room; the same object until something changes. */
  get view() {
    this.#view ??= this.#look();
    return this.#view;
  }

  #look() {
    this.#count();
    const { epoch, you, members, membersTotal, listedTo, online, topic, settings, typing, growing, more, hole } = this.#state;
    return {
      code: this.code, nick: this.nick, epoch, you, members, membersTotal, listedTo, topic, settings, typing, growing, more, hole,
      messages: this.#messages(),
      presence: online === null ? null : { online },
      /** Nothing is shown yet: a `joined` shows it. */
      fresh: epoch === null,
      /** A member, over the present connection. */
      live: this.#state.status === 'live',
      selves: this.#selves,
      keys: this.#keys,
      notices: this.#notices,
      past: this.#past,
      pending: this.#pending,
      /** What is being read: null, 'earlier' messages or those that were 'missed'; and the words when that failed. */
      loading: this.#isFilling ? 'missed' : this.#loading,
      loadError: this.#loadError,
      draft: this.#draft,
      /** When slow mode lets one write again. */
      slowUntil: this.#slowUntil,
      following: this.#following,
      unread: this.#unread,
      news: this.#news ?? this.#unreadNews(),
      ended: this.#ended,
      renewed: this.#isRenewed,
      leaving: this.isLeaving,
    };
  }

  get #isFilling() {
    return this.#state.hole !== null || this.#state.isBare;
  }

  #messages() {
    const { messages } = this.#state;
    if (this.#taken.length === 0) return messages;
    const isTaken = message => this.#taken.some(({ target, member, from, to }) =>
      target === message.seq || (member === message.member && from <= message.seq && message.seq <= to));
    return messages.map(message => isTaken(message) && !message.redacted ? { ...message, text: '', redacted: true } : message);
  }

  #changed() {
    this.#view = null;
    this.#onChange();
  }

  #follow(state) {
    if (state !== this.#state) [this.#before, this.#state] = [this.#state, state];
    // What has gone from the beginning takes its notices along.
    if (this.#notices[0]?.seq < state.from) this.#notices = this.#notices.filter(({ seq }) => seq >= state.from);
    if (this.#isWatched) this.#readSeq = state.seq;
    // Also what was read on another device.
    else if (this.#readSeq !== null && state.epoch === this.#epoch && state.read?.through > this.#readSeq) this.#readSeq = state.read.through;
    // What was changed is asked for where a page may have missed it: then it is as it is.
    if (state.due <= state.known && !this.#isFilling && this.#loading === null) this.#taken = [];
    this.#arrange();
    this.#changed();
  }

  /** What waits, what was said and not told yet, and what was refused, in the order in which it was written. */
  #arrange() {
    const { seq, messages, hole, isBare, status } = this.#state;
    const isWhole = hole === null && !isBare;
    const isTold = said => said.seq <= seq && (isWhole || messages.some(message => message.seq === said.seq));
    this.#acked = this.#acked.filter(said => !isTold(said));
    const waiting = (this.#held?.pending ?? []).filter(({ frame }) => frame.type === 'send').map(({ key, frame }, index) => {
      if (!this.#written.has(key)) this.#written.set(key, new Date().toISOString());
      this.#keys.add(key);
      return { key, text: frame.text, replyTo: frame.reply_to, at: this.#written.get(key), state: index === 0 && status === 'live' ? 'sent' : 'waiting' };
    });
    const all = [...this.#failed, ...this.#acked, ...waiting].sort((a, b) => a.at < b.at ? -1 : a.at > b.at ? 1 : 0);
    const isSame = all.length === this.#pending.length
      && all.every(({ key, state }, index) => key === this.#pending[index].key && state === this.#pending[index].state);
    if (!isSame) this.#pending = all;
    const open = new Set(all.map(({ key }) => key));
    for (const key of this.#written.keys()) if (!open.has(key)) this.#written.delete(key);
  }

  #notice(frame) {
    const { members, settings } = this.#before;
    const words = noticeWords({ selves: this.#selves, members, settings, messages: this.#state.messages }, frame);
    if (words) this.#notices = [...this.#notices, { seq: frame.seq, at: frame.at, words, coming: comingOf(frame) }];
    if (frame.type === 'member_changed') this.nick = this.#state.you.nick;
    if (frame.type === 'notices_changed') this.listMembers();
    const isTakingBack = frame.type === 'swept' || frame.type === 'redacted';
    if (isTakingBack && (this.#isFilling || this.#loading !== null)) this.#taken = [...this.#taken, frame];
    this.#changed();
  }

  #joined({ epoch, seq, you }) {
    if (epoch !== this.#epoch) {
      // One who has made it oneself knows that it is another one.
      this.#isRenewed = this.#epoch !== null && !this.#isMaking;
      [this.#epoch, this.#readSeq, this.#selves, this.#acked, this.#taken] = [epoch, null, [], [], []];
      // Whoever makes it anew goes on reading what was said.
      if (!this.#isMaking) this.#past = [];
      // Also of the life before it, which has gone with its messages.
      this.#notices = [];
    }
    if (!this.#selves.includes(you.member)) this.#selves = [...this.#selves, you.member];
    this.#readSeq ??= seq;
    [this.nick, this.#ended, this.#isMaking, this.#loadError, this.#isEntered] = [you.nick, null, false, null, true];
    this.#held.hold(this.#following ? HELD : HELD_MAX);
    this.#arrange();
    this.#changed();
  }

  #end(ending) {
    // Somebody else was faster: then one joins.
    if (this.#isMaking && ending.error?.code === 'name_taken') return;
    this.#isMaking = false;
    const { members, messages, you } = this.#state;
    this.#ended = endingOf({ selves: this.#selves, members, messages }, ending, { member: you?.member, nick: this.nick });
    this.#changed();
  }

  #refused({ key, frame, error }) {
    if (frame.type !== 'send') return;
    const at = this.#written.get(key) ?? new Date().toISOString();
    this.#failed = [...this.#failed, { key, text: frame.text, replyTo: frame.reply_to, at, state: 'failed', error: refusedWords(error) }];
    this.#arrange();
    this.#changed();
  }

  /** What others have said since one looked. */
  #count() {
    [this.#unread, this.#firstUnread] = [0, null];
    if (this.#isWatched || this.#readSeq === null) return;
    const { messages } = this.#state;
    for (let i = messages.length - 1; i >= 0 && messages[i].seq > this.#readSeq; i -= 1) {
      if (messages[i].redacted || isMine({ selves: this.#selves }, messages[i])) continue;
      this.#unread += 1;
      this.#firstUnread = messages[i].seq;
    }
  }

  /** What is unread, or null; the same object for as long as it is the same. */
  #unreadNews() {
    if (this.#unread === 0) return null;
    const { more, from } = this.#state;
    const news = { from: this.#firstUnread, count: this.#unread, isMore: more && this.#readSeq < from - 1 };
    const before = this.#unreadBefore;
    const isSame = before !== null && Object.keys(news).every(field => news[field] === before[field]);
    if (!isSame) this.#unreadBefore = news;
    return this.#unreadBefore;
  }

  /** Whether it is shown in a visible page, and read at its newest entry: with that look nothing is unread any more. */
  watch(isShown, isWatched) {
    if (!this.#isEntered || (isShown === this.#isShown && isWatched === this.#isWatched)) return;
    if (!isShown) this.#news = null;
    if (isWatched && !this.#isWatched) {
      this.#count();
      this.#news = this.#unreadNews() ?? this.#news;
      this.#readSeq = this.#state.seq;
    }
    [this.#isShown, this.#isWatched] = [isShown, isWatched];
    this.#tellRead();
    this.#changed();
  }

  /** One's other devices are told, when one begins to look and when one stops: not of each message, which would cost everybody another frame. */
  #tellRead() {
    if (this.#state.read !== null && this.#state.status === 'live' && this.#readSeq > this.#state.read.through) this.#held.read(this.#readSeq);
  }

  /** Whether the reader is at the newest entry: elsewhere more is held, so that what they read does not go. */
  follow(isFollowing) {
    if (isFollowing === this.#following) return;
    this.#following = isFollowing;
    clearTimeout(this.#letting);
    // Who goes to the end has somewhat to read there, or goes back at once; what is too much can wait.
    if (isFollowing) this.#letting = setTimeout(() => this.#held?.hold(HELD), LET_GO_MS);
    else this.#held?.hold(HELD_MAX);
    this.#changed();
  }

  /** It is asked for, as this nick; with `isMaking` it is made anew. */
  enter(nick, isMaking) {
    [this.nick, this.#ended, this.#isMaking] = [nick, null, isMaking];
    if (isMaking) this.#past = [...this.#past, ...this.#messages().map(message => ({ ...message, mine: isMine(this.view, message) }))].slice(-HELD);
    this.#changed();
  }

  /** One stays in another life of the room. What was written for the one before is sent only when that is said of it. */
  stay() {
    this.#isRenewed = false;
    this.#changed();
  }

  /** It is about to be left, and not shown any more; or stays after all. */
  depart(isLeaving) {
    this.isLeaving = isLeaving;
    this.#changed();
  }

  /** Leaves, and answers once that is done. */
  leave() {
    if (this.#left === null) {
      this.isLeaving = true;
      this.#left = this.#held?.leave() ?? Promise.resolve();
      this.#changed();
    }
    return this.#left;
  }

  /** Says something, as an answer to the message `replyTo` where there is one. */
  send(text, replyTo) {
    const key = newKey();
    this.#written.set(key, new Date().toISOString());
    this.#keys.add(key);
    [this.#draft, this.#news, this.#readSeq] = ['', null, this.#state.seq];
    this.#held.send(text, { key, replyTo }).then(({ seq }) => {
      this.#slow();
      this.#acked.push({ key, text, replyTo, at: this.#written.get(key) ?? new Date().toISOString(), state: 'acked', seq });
      this.#arrange();
      this.#changed();
    }, () => {});
    this.#changed();
  }

  /** Writes a message anew; fails where it may not be changed any more. */
  edit(target, text) {
    return this.#held.edit(target, text);
  }

  react(target, name, on) {
    return this.#held.react(target, name, on);
  }

  /** In slow mode the next message has to wait. */
  #slow() {
    const { settings, you } = this.#state;
    if (settings.slow_ms && rank(you?.role) === 0) this.#slowUntil = Date.now() + settings.slow_ms;
  }

  /** One's newest message that can be changed, or null. */
  get lastOwn() {
    const { messages } = this.#state;
    return messages.findLast(message => !message.redacted && message.text !== '' && isMine(this.view, message)) ?? null;
  }

  /** Once more, in the room as it is now, under a new key: the refused one may be bound to another text. */
  retry(key) {
    const refused = this.#failed.find(message => message.key === key);
    if (refused === undefined) return;
    this.discard(key);
    this.send(refused.text, refused.replyTo);
  }

  discard(key) {
    this.#failed = this.#failed.filter(message => message.key !== key);
    this.#arrange();
    this.#changed();
  }

  setDraft(draft) {
    if (draft === this.#draft) return;
    this.#draft = draft;
    this.#view = null;
    this.#onDraft();
  }

  typing(on) {
    this.#held?.typing(on);
  }

  async loadEarlier(messages = HISTORY_PAGE) {
    if (!this.view.live || !this.view.more || this.view.loading !== null) return;
    [this.#loading, this.#loadError] = ['earlier', null];
    this.#changed();
    const words = await this.#held.history(messages).then(() => null, error => error.code === 'disconnected' ? null : errorWords(error));
    [this.#loading, this.#loadError] = [null, words];
    this.#changed();
  }

  /** Who is connected is not told as it changes. */
  listMembers(after = 0) {
    if (this.#state.status === 'live') this.#held.listMembers(after).catch(() => {});
  }

  moreMembers() {
    this.listMembers(this.#state.listedTo ?? 0);
  }

  /** Any command in the room. */
  command(frame) {
    return this.#held.command(frame);
  }

  /** What was written here and never sent, for whoever comes in again. */
  get unsent() {
    return [...this.#pending.filter(({ state }) => state !== 'acked').map(({ text }) => text), this.#draft].filter(Boolean).join('\n');
  }
  get epoch() {
    return this.#epoch;
  }
}
