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
  updateRow(node, row, null);
  return node;
}

/** Changes only what differs from `before`; a message that is shown already is never made anew. */
export function updateRow(node, row, before) {
  UPDATERS[row.kind]?.(node, row, before);
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

  message: (row, actions) => el('li', { class: `message ${row.host ? 'host' : `c${row.color % 16}`}`, tabindex: '-1' },
    el('span', { class: 'avatar', 'aria-hidden': 'true', text: initial(row.nick) }),
    el('div', { class: 'bubble' },
      el('bdi', { class: 'nick' }),
      el('button', {
        class: 'reply', type: 'button', tabindex: '-1', dir: 'auto', title: 'Go to the message that this answers',
        on: { click: event => actions.answered(event.target.closest('li')) },
      }),
      el('span', { class: 'text', dir: 'auto' }),
      el('span', { class: 'meta' }, el('span', { class: 'edited' }), timeElement(row.at), el('span', { class: 'state', role: 'img' }))),
    el('div', { class: 'reactions', on: { click: event => react(event, actions) } }),
    el('div', { class: 'failed' },
      el('span', { class: 'why' }),
      el('button', {
        class: 'quiet retry', type: 'button', text: 'Send again',
        on: { click: event => actions.retry(event.target.closest('li')) },
      }),
      el('button', {
        class: 'quiet', type: 'button', text: 'Discard',
        on: { click: event => actions.discard(event.target.closest('li')) },
      }))),
};

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

  message(node, row, before) {
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
    const reply = node.querySelector('.reply');
    reply.hidden = !row.reply || row.redacted;
    reply.disabled = row.replyTo === null;
    setText(reply, row.reply ?? '');
    setText(node.querySelector('.edited'), row.edited && !row.redacted ? 'edited ' : '');
    if (before?.reactions !== row.reactions) showReactions(node.querySelector('.reactions'), row.reactions);
    if (before?.at !== row.at) node.querySelector('time').replaceWith(timeElement(row.at));
    node.querySelector('.retry').disabled = !row.mayRetry;
    if (STATE_FIELDS.some(field => before?.[field] !== row[field])) showState(node, row);
  },
};

function showState(node, row) {
  const state = node.querySelector('.state');
  state.hidden = !row.mine || row.redacted;
  state.replaceChildren(icon(STATES[row.state].icon));
  state.setAttribute('aria-label', STATES[row.state].words);
  node.dataset.state = row.state;
  const failed = node.querySelector('.failed');
  failed.hidden = row.state !== 'failed';
  setText(failed.querySelector('.why'), row.error ?? '');
}

function showReactions(node, reactions) {
  node.hidden = reactions.length === 0;
  node.replaceChildren(...reactions.map(({ name, count, isMine, who }) => el('button', {
    class: 'reaction', type: 'button', tabindex: '-1', 'data-name': name, 'aria-pressed': String(isMine),
    'aria-label': `${name} ${count}`, title: who,
  }, el('bdi', { text: name }), ` ${count}`)));
}

function react({ target }, actions) {
  const button = target.closest('button');
  if (button) actions.react(button.closest('li'), button.dataset.name);
}

function timeElement(at) {
  return el('time', { datetime: at, title: fullTime(at), text: clock(at) });
}

/** The first letter or symbol of a nick, as one whole character. */
const initial = nick => String.fromCodePoint(nick.codePointAt(0) ?? 0x3f).toUpperCase();
