// The log on screen: rows brought up to date in place, the scroll position kept, and the hint at what is new below.

import { byId, el, icon, setText } from './dom.js';
import { rowElement, updateRow } from './message.js';
import { rowsOf, sameRow } from './timeline.js';
import { count } from './words.js';

/** This close to the end counts as being there. */
const END_PX = 48;
/** How long a reader of the screen takes to notice what was filled in. */
const QUIET_MS = 300;
/** This close to the start, earlier messages are asked for. */
const START_PX = 240;

/** Makes the log. `actions` are `redact`, `retry`, `discard`, `share`, `loadEarlier`, `loadGap` and `scrolled`. */
export function createLog(actions) {
  const scroller = byId('log');
  const list = byId('rows');
  const jump = byId('jump');
  const jumpWords = el('span');
  jump.append(icon('down'), jumpWords);

  const places = new Map();
  let shown = null;
  let rows = new Map();
  let following = true;
  let height = 0;

  const rowActions = {
    share: actions.share,
    loadEarlier: () => actions.loadEarlier(),
    loadGap: node => actions.loadGap(rows.get(node.dataset.row).row),
    redact: node => actions.redact(rows.get(node.dataset.row).row),
    retry: node => actions.retry(node.dataset.row.slice(1)),
    discard: node => actions.discard(node.dataset.row.slice(1)),
  };

  scroller.addEventListener('scroll', () => {
    // The browser scrolled because the height changed: that is nobody's wish to be elsewhere.
    if (scroller.clientHeight !== height) return resized();
    following = isAtEnd();
    actions.scrolled();
    loadWhenNear();
  }, { passive: true });
  jump.addEventListener('click', () => {
    toEnd();
    scroller.focus();
  });
  new ResizeObserver(resized).observe(scroller);

  /** A phone's keyboard, a banner or a growing text field takes height: at the end it stays at the end. */
  function resized() {
    height = scroller.clientHeight;
    if (following) toEnd();
  }

  function isAtEnd() {
    return scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight <= END_PX;
  }

  function toEnd() {
    scroller.scrollTop = scroller.scrollHeight;
    following = true;
  }

  function loadWhenNear() {
    if (shown?.more && shown.live && !shown.loadError && scroller.scrollTop <= START_PX) actions.loadEarlier();
  }

  /** Shows the room; at the end stays at the end, elsewhere the rows in view stay where they are. */
  function render(room) {
    const changed = shown === null || shown.code !== room.code || shown.epoch !== room.epoch;
    if (changed) leave(room);
    if (changed || (shown.loading !== null && room.loading === null)) fillQuietly();
    const sentNow = !changed && room.pending.length > shown.pending.length;
    shown = room;
    const place = changed ? places.get(room.code) ?? null : following || sentNow ? null : placeNow();
    reconcile(rowsOf(room));
    if (place === null || !restore(place)) toEnd();
    scroller.setAttribute('aria-busy', String(room.loading !== null));
    renderJump(room);
    loadWhenNear();
  }

  /** Another room is to be shown: where this one was left is remembered, and its rows go. */
  function leave(next) {
    if (shown !== null && shown.epoch !== null) {
      if (following) places.delete(shown.code);
      else places.set(shown.code, placeNow());
    }
    if (shown?.code === next.code) places.delete(next.code);
    rows = new Map();
    list.replaceChildren();
    following = !places.has(next.code);
  }

  /** What was said earlier is not read out as if it were said now. */
  function fillQuietly() {
    scroller.setAttribute('aria-live', 'off');
    setTimeout(() => scroller.setAttribute('aria-live', 'polite'), QUIET_MS);
  }

  function reconcile(wanted) {
    const kept = new Map();
    // First what goes: a row that stays is then never moved, and never read out a second time.
    const ids = new Set(wanted.map(row => row.id));
    for (const [id, { node }] of rows) if (!ids.has(id)) node.remove();
    let next = list.firstElementChild;
    for (const row of wanted) {
      const known = rows.get(row.id);
      const node = known?.node ?? rowElement(row, rowActions);
      if (known && !sameRow(known.row, row)) updateRow(node, row, known.row);
      node.dataset.row = row.id;
      kept.set(row.id, { row, node });
      if (node === next) next = next.nextElementSibling;
      else list.insertBefore(node, next);
    }
    rows = kept;
  }

  function placeNow() {
    const top = scroller.scrollTop;
    const told = [...list.children].filter(node => node.dataset.row !== 'start');
    const node = told.find(row => row.offsetTop >= top) ?? told.at(-1);
    return node ? { row: node.dataset.row, end: endOf(node) - top } : null;
  }

  function restore({ row, end }) {
    const node = rows.get(row)?.node;
    if (node) scroller.scrollTop = endOf(node) - end;
    return Boolean(node);
  }

  /** A row is held at its end: at its start it may lose the name above it, when earlier ones of its sender come. */
  const endOf = node => node.offsetTop + node.offsetHeight;

  function renderJump(room) {
    jump.hidden = following;
    setText(jumpWords, room.unread > 0 ? count(room.unread, 'new message') : 'To the newest');
    jump.classList.toggle('fresh', room.unread > 0);
  }

  return {
    render,
    /** Shows no room. */
    clear() {
      if (shown) leave({ code: null });
      shown = null;
    },
    isFollowing: () => following,
    focus: () => scroller.focus(),
  };
}
