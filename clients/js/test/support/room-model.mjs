// A room as docs/protocol.md says it is: its log, what each message says now, and what a member is told of either.

/** How many people a message names beside a reaction. */
const NAMED_MAX = 8;

export class Refusal extends Error {
  constructor(code, fields = {}) {
    super(code);
    this.frame = { type: 'error', code, message: code, ...fields };
  }
}

export class ModelRoom {
  /** What was said, done and changed: the event `seq` is `log[seq - 1]`. */
  log = [];
  members = new Map();
  messages = new Map();
  topic = '';
  settings = {};
  #sweeps = [];
  #persons = new Map();
  #floors = new Map();
  #firsts = new Map();
  #nicks = new Map();
  #keys = new Map();
  #reads = new Map();
  #changed = new Map();
  #forgotten = 0;
  #nextMember = 1;

  constructor(code, epoch, { now = () => 0, changesMax = 24 } = {}) {
    Object.assign(this, { code, epoch, now, changesMax });
  }

  get head() {
    return this.log.length;
  }

  numberOf(session) {
    const number = this.#persons.get(session);
    return number !== undefined && this.members.has(number) ? number : undefined;
  }

  wasMember(session) {
    return this.#persons.has(session);
  }

  /** Where a person first came in: nobody goes on from before that. */
  firstOf(number) {
    return this.#firsts.get(number);
  }

  floorOf(number) {
    return this.#floors.get(number) ?? 0;
  }

  #append(type, fields) {
    const event = { type, room: this.code, seq: this.head + 1, at: new Date(Date.UTC(2026, 10, 22) + this.now()).toISOString(), ...fields };
    this.log.push(event);
    return event;
  }

  // What people do.

  join(session, nick, data) {
    if (this.numberOf(session) !== undefined) throw new Refusal('already_member');
    for (const member of this.members.values()) {
      if (member.nick.toLowerCase() === nick.toLowerCase()) throw new Refusal('nick_taken', { retry_after_ms: member.online ? undefined : 1_000 });
    }
    let number = this.#persons.get(session);
    if (number === undefined) {
      number = this.#nextMember++;
      this.#persons.set(session, number);
      const { history = 'all' } = this.settings;
      this.#floors.set(number, history === 'none' ? this.head : 0);
    }
    const role = this.members.size === 0 ? 'owner' : 'member';
    const color = number % 8;
    this.members.set(number, { member: number, nick, color, role, online: true, ...(data && { data }) });
    this.#nicks.set(number, nick);
    const event = this.#append('member_joined', { member: number, nick, color, role, ...(data && { data }) });
    this.members.get(number).entered = event.seq;
    if (!this.#firsts.has(number)) this.#firsts.set(number, event.seq);
    if (!this.#reads.has(number)) this.#reads.set(number, event.seq);
    return event;
  }

  part(number, reason, by) {
    const member = this.members.get(number);
    this.members.delete(number);
    const event = this.#append('member_left', { member: number, nick: member.nick, reason, ...(by && { by }) });
    if (reason === 'kicked') {
      for (const [session, other] of this.#persons) if (other === number) this.#persons.delete(session);
    }
    if (member.role === 'owner' && this.members.size > 0) {
      const [next] = this.members.values();
      this.role(next.member, 'owner');
    }
    return event;
  }

  role(number, role, by) {
    this.members.get(number).role = role;
    return this.#append('role_changed', { member: number, role, ...(by && { by }) });
  }

  #once(number, key, command, act) {
    if (key === undefined) return act();
    const said = JSON.stringify(command);
    const before = this.#keys.get(`${number} ${key}`);
    if (before && before.said !== said) throw new Refusal('key_conflict');
    if (before) return before.event;
    const event = act();
    this.#keys.set(`${number} ${key}`, { said, event });
    return event;
  }

  send(number, { text = '', data, reply_to, key }) {
    if (this.settings.read_only && this.members.get(number).role !== 'owner') throw new Refusal('read_only');
    return this.#once(number, key, { text, data, reply_to }, () => {
      const { nick, color } = this.members.get(number);
      const event = this.#append('message', { member: number, nick, color, text });
      const { type, room, ...content } = event;
      const said = { ...content, ...(data && { data }), ...(reply_to && { reply_to }), ...(key && { key }) };
      this.messages.set(event.seq, { ...said, reactions: [] });
      return event;
    });
  }

  #own(target, number) {
    const message = this.messages.get(target);
    if (!message || message.redacted || target <= this.floorOf(number)) throw new Refusal('message_not_found');
    return message;
  }

  edit(number, { target, text = '', data, key }) {
    return this.#once(number, key, { target, text, data }, () => {
      const message = this.#own(target, number);
      if (message.member !== number) throw new Refusal('forbidden');
      message.edited = (message.edited ?? 0) + 1;
      message.text = text;
      if (data) message.data = data;
      else delete message.data;
      const event = this.#append('edited', { target, by: number, n: message.edited, text, ...(data && { data }), ...(key && { key }) });
      message.editedAt = event.seq;
      this.#note(target, event.seq);
      return event;
    });
  }

  redact(number, target) {
    this.#own(target, number);
    const event = this.#append('redacted', { target, by: number });
    this.#bury(target);
    this.#note(target, event.seq);
    return event;
  }

  sweep(number, from = 1) {
    const to = this.head;
    const event = this.#append('swept', { member: number, from, to, by: number });
    for (const [seq, message] of this.messages) {
      if (message.member !== number || seq < from || seq > to || message.redacted) continue;
      this.#bury(seq);
      this.#changed.delete(seq);
    }
    this.#sweeps.push({ member: number, from, to, change: event.seq });
    return event;
  }

  react(number, { target, name, on, key }) {
    return this.#once(number, key, { target, name, on }, () => {
      const message = this.#own(target, number);
      let reaction = message.reactions.find(one => one.name === name);
      const has = reaction?.people.includes(number) ?? false;
      if (has === on) return { seq: this.head };
      if (!reaction) message.reactions.push(reaction = { name, people: [] });
      if (on) reaction.people.push(number);
      else reaction.people = reaction.people.filter(other => other !== number);
      message.reactions = message.reactions.filter(({ people }) => people.length > 0);
      const event = this.#append('reacted', { target, name, by: number, on, count: reaction.people.length });
      this.#note(target, event.seq);
      return event;
    });
  }

  me(number, { nick, data }) {
    const member = this.members.get(number);
    if (nick !== undefined) member.nick = nick;
    if (data === null) delete member.data;
    else if (data !== undefined) member.data = data;
    return this.#append('member_changed', { member: number, ...(nick && { nick }), ...(data !== undefined && { data }) });
  }

  set(number, settings) {
    this.settings = { ...this.settings, ...settings };
    return this.#append('settings_changed', { settings: { ...this.settings }, by: number });
  }

  about(number, topic) {
    this.topic = topic;
    return this.#append('topic_changed', { topic, by: number });
  }

  read(number, through) {
    const now = Math.max(this.#reads.get(number) ?? 0, Math.min(through, this.head));
    this.#reads.set(number, now);
    return this.readOf(number);
  }

  readOf(number) {
    const through = this.#reads.get(number) ?? 0;
    const unread = [...this.messages.values()].filter(({ seq, member, redacted }) => seq > through && member !== number && !redacted);
    return { through, unread: unread.length, as_of: this.head };
  }

  #bury(target) {
    const { seq, at, member, nick, color } = this.messages.get(target);
    this.messages.set(target, { seq, at, member, nick, color, text: '', redacted: true, reactions: [] });
  }

  #note(target, seq) {
    this.#changed.delete(target);
    this.#changed.set(target, seq);
    while (this.#changed.size > this.changesMax) {
      const [[oldest, change]] = this.#changed;
      this.#changed.delete(oldest);
      this.#forgotten = Math.max(this.#forgotten, change);
    }
  }

  // What a member is told.

  /** A message as it is now. */
  shown(seq) {
    const { reactions, editedAt, ...message } = this.messages.get(seq);
    const shown = reactions.map(({ name, people }) => ({ name, count: people.length, by: people.slice(0, NAMED_MAX) }));
    return { type: 'message', room: this.code, ...message, ...(shown.length > 0 && { reactions: shown }) };
  }

  /** An event as whoever reads it now is told. */
  told(seq, number) {
    const event = this.log[seq - 1];
    const { type, room, at, target } = event;
    const floor = this.floorOf(number);
    if (type === 'message') return this.shown(seq);
    if (target !== undefined && target <= floor) return { type, room, seq, at };
    if (type === 'edited') {
      const { redacted, editedAt } = this.messages.get(target);
      return redacted || editedAt > seq ? { type, room, seq, at, target } : event;
    }
    if (type === 'swept') {
      if (event.to <= floor) return { type, room, seq, at };
      return { ...event, from: Math.max(event.from, floor + 1) };
    }
    return event;
  }

  get changedAt() {
    return this.log.findLast(({ type }) => ['edited', 'redacted', 'swept', 'reacted'].includes(type))?.seq ?? 0;
  }

  listed(number) {
    const all = [...this.members.values()].map(({ entered, ...member }) => member).sort((a, b) => a.member - b.member);
    return number === undefined ? all : [all.find(({ member }) => member === number), ...all.filter(({ member }) => member !== number)];
  }

  #around(number, members) {
    return {
      members: members.slice(0, this.membersPage ?? 500), members_total: this.members.size, topic: this.topic,
      notices: 'told', ...(Object.keys(this.settings).length > 0 && { settings: this.settings }), changed_at: this.changedAt,
    };
  }

  joined(number, seq, isAfter, limit = 50) {
    const members = this.listed(number);
    const { entered } = this.members.get(number);
    const floor = this.floorOf(number);
    const page = isAfter ? { messages: [], more_before: false } : this.page(number, { limit });
    return {
      type: 'joined', room: this.code, epoch: this.epoch, seq, entered, ...(floor > 0 && { sees: floor }), you: members[0],
      ...this.#around(number, members), history: page.messages, more: page.more_before, as_of: this.head, read: this.readOf(number),
    };
  }

  gap(number, from) {
    return { type: 'gap', room: this.code, epoch: this.epoch, from, to: this.head, ...this.#around(number, this.listed(number)) };
  }

  /** A page of history. */
  page(number, { before, after, limit = 50 }) {
    const all = [...this.messages.keys()].filter(seq => seq > this.floorOf(number));
    const side = after !== undefined
      ? all.filter(seq => seq > after).slice(0, limit)
      : all.filter(seq => before === undefined || seq < before).slice(Math.max(0, all.filter(seq => before === undefined || seq < before).length - limit));
    const low = side[0] ?? (after !== undefined ? after + 1 : before ?? Infinity);
    const high = side.at(-1) ?? (after !== undefined ? after : (before ?? Infinity) - 1);
    return {
      type: 'history', room: this.code, epoch: this.epoch, messages: side.map(seq => this.shown(seq)),
      more_before: all.some(seq => seq < low), more_after: all.some(seq => seq > high), as_of: this.head,
    };
  }

  changes(number, after, limit = 200) {
    if (after < this.#forgotten) throw new Refusal('out_of_reach');
    const floor = this.floorOf(number);
    const due = [...this.#changed].filter(([, change]) => change > after);
    const page = due.slice(0, limit);
    const more = page.length < due.length;
    const through = more ? page.at(-1)[1] : this.head;
    const swept = this.#sweeps.filter(({ change, to }) => change > after && change <= through && to > floor)
      .map(range => ({ ...range, from: Math.max(range.from, floor + 1) }));
    const messages = page.filter(([seq]) => seq > floor).map(([seq]) => this.shown(seq)).sort((a, b) => a.seq - b.seq);
    return { type: 'changes', room: this.code, epoch: this.epoch, messages, ...(swept.length > 0 && { swept }), through, more, as_of: this.head };
  }

  list(after = 0, limit = 500) {
    const all = this.listed().filter(({ member }) => member > after);
    return { type: 'members', room: this.code, members: all.slice(0, limit), members_total: this.members.size, more: all.length > limit };
  }
}

/** Messages in words that are the same where they say the same: whatever the order of their fields. */
export function inWords(message) {
  const { as_of, type, room, ...content } = message;
  const sorted = value => Array.isArray(value) ? value.map(sorted)
    : value === null || typeof value !== 'object' ? value
      : Object.fromEntries(Object.keys(value).sort().map(name => [name, sorted(value[name])]));
  return JSON.stringify(sorted(content));
}
