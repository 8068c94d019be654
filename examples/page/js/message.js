// Makes the rows of a log as elements, and brings an element up to date with its row.

import { el, icon, setText, wordNodes } from './dom.js';
import { setRichText } from './text.js';
import { clock, dayName, fullTime } from './time.js';

const STATES = {
  waiting: { icon: 'clock', words: 'Waiting to be sent' },
  sent: { icon: 'clock', words: 'Sending' },
  acked: { icon: 'check', words: 'Sent' },
  told: { icon: 'check', words: 'Sent' },
  failed: { icon: 'alert', words: 'Not sent' },
};

/** What the mark beside the time depends on. */
const STATE_FIELDS = ['state', 'mine', 'redacted'];

/** The element of a row. `actions` are what its buttons do. */
export function rowElement(row, actions) {
  const node = MAKERS[row.kind](row, actions);
  updateRow(node, row, null, actions);
  return node;
}

/** Changes only what differs from `before`; a message that is shown already is never made anew. */
export function updateRow(node, row, before, actions) {
  UPDATERS[row.kind]?.(node, row, before, actions);
}

const MAKERS = {
  start: (row, actions) => el('li', { class: 'start' },
    el('button', { class: 'quiet', type: 'button', on: { click: actions.loadEarlier } }),
    el('p', { class: 'load-error', role: 'alert' }),
    el('div', { class: 'empty' },
      el('p', { class: 'empty-title', text: 'It is quiet here' }),
      el('p', { text: 'Send the link to those who should come in, or tell them the code.' }),
      el('button', { class: 'secondary', type: 'button', on: { click: actions.share } },
        icon('link'), el('span', { text: 'Copy link' })))),

  day: row => el('li', { class: 'day' }, el('span', { text: dayName(row.day) })),

  new: () => el('li', { class: 'new' }, el('span', { text: 'New' })),

  notice: row => el('li', { class: 'notice' },
    el('span', {}, ...wordNodes(row.words)), ' ', timeElement(row.at)),

  folded: () => el('li', { class: 'notice folded' },
    el('details', {}, el('summary', {}, el('span'), ' ', el('time')), el('ul'))),

  again: () => el('li', { class: 'new' }, el('span', { text: 'Made again' })),

  gap: () => el('li', { class: 'gap' }, el('span', { text: 'Loading what was missed while you were away…' })),

  message: row => el('li', { class: `message ${row.host ? 'host' : `c${row.color % 16}`}`, tabindex: '-1' },
    el('span', { class: 'avatar', 'aria-hidden': 'true', text: initial(row.nick) }),
    el('div', { class: 'bubble' },
      el('bdi', { class: 'nick' }),
      el('span', { class: 'text', dir: 'auto' }),
      el('span', { class: 'meta' }, timeElement(row.at)))),
};

/** What few messages have: each is in the page only while there is something in it, for a long log costs by its elements. */
const PARTS = {
  reply: (node, actions) => node.querySelector('.text').before(el('button', {
    class: 'reply', type: 'button', tabindex: '-1', dir: 'auto', title: 'Go to the message that this answers',
    on: { click: () => actions.answered(node) },
  })),
  edited: node => node.querySelector('time').before(el('span', { class: 'edited', text: 'edited ' })),
  state: node => node.querySelector('.meta').append(el('span', { class: 'state', role: 'img' })),
  reactions: (node, actions) => node.querySelector('.bubble').after(el('div', {
    class: 'reactions', on: { click: ({ target }) => target.closest('button') && actions.react(node, target.closest('button').dataset.name) },
  })),
  failed: (node, actions) => node.append(el('div', { class: 'failed' },
    el('span', { class: 'why' }),
    el('button', { class: 'quiet retry', type: 'button', text: 'Send again', on: { click: () => actions.retry(node) } }),
    el('button', { class: 'quiet', type: 'button', text: 'Discard', on: { click: () => actions.discard(node) } }))),
};

/** The element of this part, or null where it is not wanted. */
function partOf(node, name, isWanted, actions) {
  if (isWanted && node.querySelector(`.${name}`) === null) PARTS[name](node, actions);
  const part = node.querySelector(`.${name}`);
  if (isWanted) return part;
  part?.remove();
  return null;
}

const UPDATERS = {
  start(node, row) {
    const [button, error, empty] = node.children;
    button.hidden = !row.more;
    button.disabled = row.busy || !row.live;
    setText(button, row.busy ? 'Loading…' : 'Earlier messages');
    error.hidden = !row.loadError;
    setText(error, row.loadError ?? '');
    empty.hidden = !row.empty || row.fresh || !row.live;
  },

  folded(node, row) {
    const [summary, list] = node.firstElementChild.children;
    setText(summary.querySelector('span'), row.words);
    summary.querySelector('time').replaceWith(timeElement(row.at));
    list.replaceChildren(...row.lines.map(({ words, at }) => el('li', {}, el('span', {}, ...wordNodes(words)), ' ', timeElement(at))));
  },

  message(node, row, before, actions) {
    node.classList.toggle('mine', row.mine);
    node.classList.toggle('first', row.first);
    node.classList.toggle('last', row.last);
    node.classList.toggle('redacted', row.redacted);
    node.classList.toggle('growing', row.growing);
    // Those who listen hear it once it is whole.
    node.setAttribute('aria-busy', row.growing);
    node.classList.toggle('pending', row.state === 'waiting' || row.state === 'sent');
    node.classList.toggle('names', row.names);
    const nick = node.querySelector('.nick');
    // Those who listen hear who speaks with every message; those who look see it once a group.
    nick.classList.toggle('visually-hidden', row.mine || !row.first);
    setText(nick, row.mine ? 'You' : row.nick);
    if (before?.text !== row.text || before.redacted !== row.redacted) {
      const text = node.querySelector('.text');
      if (row.redacted) setText(text, 'This message was removed');
      else setRichText(text, row.text);
    }
    const reply = partOf(node, 'reply', row.reply && !row.redacted, actions);
    if (reply !== null) {
      reply.disabled = row.replyTo === null;
      setText(reply, row.reply);
    }
    partOf(node, 'edited', row.edited && !row.redacted, actions);
    if (before?.reactions !== row.reactions) showReactions(node, row.reactions, actions);
    if (before !== null && before.at !== row.at) node.querySelector('time').replaceWith(timeElement(row.at));
    showState(node, row, before, actions);
  },
};

function showState(node, row, before, actions) {
  const isOther = STATE_FIELDS.some(field => before?.[field] !== row[field]);
  if (isOther) {
    node.dataset.state = row.state;
    const state = partOf(node, 'state', row.mine && !row.redacted, actions);
    state?.replaceChildren(icon(STATES[row.state].icon));
    state?.setAttribute('aria-label', STATES[row.state].words);
  }
  const failed = partOf(node, 'failed', row.state === 'failed', actions);
  if (failed === null) return;
  failed.querySelector('.retry').disabled = !row.mayRetry;
  setText(failed.querySelector('.why'), row.error ?? '');
}

function showReactions(node, reactions, actions) {
  const part = partOf(node, 'reactions', reactions.length > 0, actions);
  part?.replaceChildren(...reactions.map(({ name, count, isMine, who }) => el('button', {
    class: 'reaction', type: 'button', tabindex: '-1', 'data-name': name, 'aria-pressed': String(isMine),
    'aria-label': `${name} ${count}`, title: who,
  }, el('bdi', { text: name }), ` ${count}`)));
}

function timeElement(at) {
  return el('time', { datetime: at, title: fullTime(at), text: clock(at) });
}

/** The first letter or symbol of a nick, as one whole character. */
const initial = nick => String.fromCodePoint(nick.codePointAt(0) ?? 0x3f).toUpperCase();
