// The log on screen: rows brought up to date in place, the scroll position kept, and the hint at what is new below.

import { byId, el, icon, keepFocus, setText } from './dom.js';
import { rowElement, updateRow } from './message.js';
import { rowsOf, sameRow } from './timeline.js';
import { count, newsWords } from './words.js';

/** This close to the end counts as being there. */
const END_PX = 48;
/** How long a reader of the screen takes to notice what was filled in. */
const QUIET_MS = 300;
/** This close to the start, earlier messages are asked for. */
const START_PX = 240;
/** The rows that are held on to. The others move, or go: a day stands above whatever is loaded of it, a gap is filled. */
const LINES = new Set(['message', 'notice']);
/** What a room has beside its log. */
const ELSEWHERE = new Set(['following', 'unread', 'draft', 'typing', 'topic', 'members', 'membersTotal', 'listedTo', 'presence']);

/** Makes the log. `actions` are `redact`, `retry`, `discard`, `share`, `loadEarlier` and `scrolled`. */
export function createLog(actions) {
  const scroller = byId('log');
  const list = byId('rows');
  const jump = byId('jump');
  const jumpWords = el('span');
  jump.append(icon('down'), jumpWords);
  const back = byId('back-to-new');
  const backWords = el('span');
  back.append(icon('above'), backWords);

  const places = new Map();
  let shown = null;
  let rows = new Map();
  let following = true;
  /** When that began which is new, and whose beginning one has seen. */
  let seenNews = null;
  let height = 0;
  let width = 0;

  const rowActions = {
    share: actions.share,
    loadEarlier: () => actions.loadEarlier(),
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
  keepFocus(scroller.parentElement);
  jump.addEventListener('click', () => {
    toEnd();
    // It is about to go; whoever is writing goes on.
    if ([jump, document.body].includes(document.activeElement)) scroller.focus();
  });
  back.addEventListener('click', () => {
    rows.get('new')?.node.scrollIntoView({ block: 'start' });
    if ([back, document.body].includes(document.activeElement)) scroller.focus();
  });
  new ResizeObserver(resized).observe(scroller);
  const firstDrawn = new ResizeObserver(entries => {
    for (const { target } of entries) {
      firstDrawn.unobserve(target);
      target.classList.add('drawn');
    }
  });

  /** A phone's keyboard, a banner or a growing text field takes height: at the end it stays at the end. */
  function resized() {
    height = scroller.clientHeight;
    // At another width the rows have other heights.
    if (width !== scroller.clientWidth) for (const { node } of rows.values()) drawOnce(node);
    width = scroller.clientWidth;
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
    // A page that has come and is not on screen yet is what one is near to.
    const mayLoad = shown?.more && shown.live && shown.loading === null && !shown.loadError;
    if (mayLoad && scroller.scrollTop <= START_PX) actions.loadEarlier();
  }

  /** Shows the room. A log that is the same is not looked at again, whatever is typed, or told of members. */
  function render(room) {
    const before = shown;
    shown = room;
    if (before === null || !isSameLog(before, room)) renderLog(room, before);
    renderJump(room);
    renderBack();
  }

  /** At the end stays at the end, elsewhere the lines in view stay where they are. */
  function renderLog(room, before) {
    const changed = before === null || before.code !== room.code || before.epoch !== room.epoch;
    if (changed) leave(before, room);
    if (changed || (before.loading !== null && room.loading === null)) fillQuietly();
    const sentNow = !changed && room.pending.length > before.pending.length;
    const place = changed ? places.get(room.code) ?? null : following || sentNow ? null : placeNow();
    reconcile(rowsOf(room));
    if (place === null || !restore(place)) toEnd();
    scroller.setAttribute('aria-busy', String(room.loading !== null));
    loadWhenNear();
  }

  /** Another room is to be shown: where this one was left is remembered, and its rows go. */
  function leave(left, next) {
    if (left !== null && left.epoch !== null) {
      if (following) places.delete(left.code);
      else places.set(left.code, placeNow());
    }
    if (left?.code === next.code) places.delete(next.code);
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
      const node = known?.node ?? newRow(row);
      if (known && !sameRow(known.row, row)) {
        updateRow(node, row, known.row);
        drawOnce(node);
      }
      kept.set(row.id, { row, node });
      if (node === next) next = next.nextElementSibling;
      else list.insertBefore(node, next);
    }
    rows = kept;
  }

  function newRow(row) {
    const node = rowElement(row, rowActions);
    node.dataset.row = row.id;
    drawOnce(node);
    return node;
  }

  /** What is out of view is not drawn, but for once: then the browser knows its height, and nothing moves by a guess. */
  function drawOnce(node) {
    node.classList.remove('drawn');
    firstDrawn.observe(node);
  }

  /** The lines in view, each with how far its end is below the upper edge; the next best where there are none. */
  function placeNow() {
    const { top, bottom } = scroller.getBoundingClientRect();
    const lines = [...rows.values()].filter(({ row }) => LINES.has(row.kind)).map(({ node }) => node);
    const first = lines.findIndex(node => endOf(node) > top);
    const below = first < 0 ? lines.slice(-1) : lines.slice(first);
    const out = below.findIndex(node => node.getBoundingClientRect().top >= bottom);
    const seen = out < 0 ? below : below.slice(0, Math.max(out, 1));
    return seen.length > 0 ? seen.map(node => ({ row: node.dataset.row, end: endOf(node) - top })) : null;
  }

  /** Puts the first of these lines that is still there where it was. */
  function restore(place) {
    const held = place.find(({ row }) => rows.has(row));
    if (!held) return false;
    const { top } = scroller.getBoundingClientRect();
    scroller.scrollTop += endOf(rows.get(held.row).node) - top - held.end;
    return true;
  }

  /** A row is held at its end: at its start it may lose the name above it, when earlier ones of its sender come. */
  const endOf = node => node.getBoundingClientRect().bottom;

  function renderJump(room) {
    jump.hidden = following;
    setText(jumpWords, room.unread > 0 ? count(room.unread, 'new message') : 'To the newest');
    jump.classList.toggle('fresh', room.unread > 0);
  }

  /** The way back to where what is new begins, while that is above what one sees, until one has been there. */
  function renderBack() {
    const mark = rows.get('new');
    back.hidden = true;
    if (mark === undefined) return;
    const [view, { top, bottom }] = [scroller.getBoundingClientRect(), mark.node.getBoundingClientRect()];
    if (bottom > view.top && top < view.bottom) seenNews = mark.row.at;
    back.hidden = bottom > view.top || seenNews === mark.row.at;
    if (!back.hidden) setText(backWords, newsWords(mark.row));
  }

  return {
    render,
    /** Shows no room. */
    clear() {
      if (shown) leave(shown, { code: null });
      shown = null;
    },
    isFollowing: () => following,
    focus: () => scroller.focus(),
  };
}

const isSameLog = (a, b) => Object.keys(b).every(field => ELSEWHERE.has(field) || a[field] === b[field]);
