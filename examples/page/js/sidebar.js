// The rooms one is in, with what is unread in them, and the state of the connection; on a phone in a drawer.

import { byId, el, setText, setWords } from './dom.js';
import { openLayer } from './layers.js';
import { connectionWords, theirs } from './words.js';

/** Makes the sidebar. `show(code)` shows a room, `show(null)` the form for another one. */
export function createSidebar({ show }) {
  const list = byId('room-list');
  const items = new Map();
  byId('new-room').addEventListener('click', () => show(null));

  function itemOf(code) {
    const parts = {
      name: el('span', { class: 'name' }),
      preview: el('span', { class: 'preview' }),
      badge: el('span', { class: 'badge' }),
      words: el('span', { class: 'visually-hidden', text: ' unread' }),
    };
    const button = el('button', { type: 'button', class: 'room-item', on: { click: () => show(code) } },
      el('span', { class: 'lines' }, parts.name, parts.preview), parts.badge, parts.words);
    return { ...parts, button, node: el('li', {}, button) };
  }

  function renderItem(item, room, active) {
    setText(item.name, room.code);
    setWords(item.preview, previewOf(room));
    setText(item.badge, badgeOf(room.unread));
    item.badge.hidden = room.unread === 0;
    item.button.classList.toggle('dead', room.ended !== null);
    item.words.hidden = item.badge.hidden;
    if (room.code === active) item.button.setAttribute('aria-current', 'true');
    else item.button.removeAttribute('aria-current');
  }

  return {
    render({ rooms, active, connection }) {
      for (const [code, { node }] of items) {
        if (rooms.some(room => room.code === code)) continue;
        node.remove();
        items.delete(code);
      }
      for (const room of rooms) {
        if (!items.has(room.code)) {
          items.set(room.code, itemOf(room.code));
          list.append(items.get(room.code).node);
        }
        renderItem(items.get(room.code), room, active);
      }
      byId('new-room').hidden = rooms.length === 0 || active === null;
      const unread = rooms.reduce((sum, room) => sum + (room.code === active ? 0 : room.unread), 0);
      for (const badge of document.querySelectorAll('.menu .badge')) {
        setText(badge, badgeOf(unread));
        badge.hidden = unread === 0;
      }
      byId('connection').dataset.state = connection.name;
      setText(byId('connection-words'), connectionWords[connection.name]);
    },
  };
}

const badgeOf = unread => unread > 99 ? '99+' : String(unread);

function previewOf(room) {
  if (room.ended) return 'Ended';
  const waiting = room.pending.at(-1);
  if (waiting) return ['You: ', theirs(waiting.text)];
  const last = room.messages.findLast(message => !message.redacted);
  if (!last) return room.topic && theirs(room.topic);
  return [room.selves.includes(last.member) ? 'You' : theirs(last.nick), ': ', theirs(last.text)];
}

/**
 * Makes the drawers: on narrow pages the sidebar and the members are opened by `data-drawer` buttons, and closed by a
 * choice in them, by Escape or by a tap beside them. `narrow` names the width below which each is a drawer.
 */
export function createDrawers(narrow) {
  const shade = byId('shade');
  let open = null;

  const isDrawer = id => matchMedia(narrow[id]).matches;
  const buttonsOf = id => document.querySelectorAll(`[data-drawer="${id}"]`);

  function set(id, shown) {
    byId(id).classList.toggle('open', shown);
    for (const button of buttonsOf(id)) button.setAttribute('aria-expanded', String(shown));
    shade.hidden = !shown;
    open?.closed();
    open = shown ? { id, back: document.activeElement, closed: openLayer(() => close({ focusBack: true })) } : null;
  }

  function close({ focusBack = false } = {}) {
    if (open === null) return;
    const { id, back } = open;
    set(id, false);
    if (focusBack) back?.focus();
  }

  for (const id of Object.keys(narrow)) {
    for (const button of buttonsOf(id)) {
      button.addEventListener('click', () => {
        if (open?.id === id) return close({ focusBack: true });
        close();
        if (!isDrawer(id)) {
          const away = byId(id).classList.toggle('away');
          return button.setAttribute('aria-expanded', String(!away));
        }
        set(id, true);
        (byId(id).querySelector('[aria-current]') ?? byId(id).querySelector('button')).focus();
      });
    }
    const settle = () => {
      close();
      const shown = !isDrawer(id) && !byId(id).classList.contains('away');
      for (const button of buttonsOf(id)) button.setAttribute('aria-expanded', String(shown));
    };
    matchMedia(narrow[id]).addEventListener('change', settle);
    settle();
  }
  for (const button of document.querySelectorAll('[data-close]')) {
    button.addEventListener('click', () => close({ focusBack: true }));
  }
  shade.addEventListener('click', () => close({ focusBack: true }));
  document.addEventListener('keydown', event => {
    // A menu above the drawer closes by itself, and first.
    if (event.key === 'Escape' && !document.querySelector(':popover-open')) close({ focusBack: true });
  });
  return { close };
}
