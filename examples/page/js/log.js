// The log on screen: rows brought up to date in place, the scroll position kept, and the hint at what is new below.

import { byId, el, icon, keepFocus, setText } from './dom.js';
import { rowElement, updateRow } from './message.js';
import { createBlocks } from './blocks.js';
import { createKeys } from './keys.js';
import { createMenu } from './menu.js';
import { rowsOf } from './timeline.js';
import { count, newsWords } from './words.js';

/** This close to the end counts as being there. */
const END_PX = 48;
/** Further down than any log is high: the browser stops at the end. */
const END_TOP = 1e9;
/** How long a reader of the screen takes to notice what was filled in. */
const QUIET_MS = 300;
/** This close to the start, earlier messages are asked for. */
const START_PX = 240;
/** So many pages are read to find the place that one was at. */
const SOUGHT_PAGES = 10;
/** So many are read, and of so many messages each, to find what an answer answers: half of what a room holds at most. */
const ANSWERED_PAGES = 20;
const ANSWERED_PAGE = 200;
/** What one is led to stands so far below the upper edge, and is marked for so long. */
const FOUND_PX = 120;
const FOUND_MS = 2_000;
/** The rows that are held on to. The others move, or go: a day stands above whatever is loaded of it, a gap is filled. */
const LINES = new Set(['message', 'notice', 'folded']);
/** What a room has beside its log. */
const ELSEWHERE = new Set(['following', 'unread', 'draft', 'typing', 'topic', 'members', 'membersTotal', 'listedTo', 'presence']);

/**
 * Makes the log. `actions` are `may`, `reply`, `react`, `edit`, `redact`, `retry`, `discard`, `share`, `loadEarlier(messages)`, `scrolled`, `say`
 * and `leave`; `kept` says where each room was left before the page was loaded again.
 */
export function createLog(actions, kept = []) {
  const scroller = byId('log');
  const jump = byId('jump');
  const jumpWords = el('span');
  jump.append(icon('down'), jumpWords);
  const back = byId('back-to-new');
  const backWords = el('span');
  back.append(icon('above'), backWords);

  const places = new Map(kept);
  /** The place that is looked for among earlier messages: `{ place, pages, target }`, with the number of the message one wants to be led to. */
  let sought = null;
  let shown = null;
  let following = true;
  /** When that began which is new, and whose beginning one has seen. */
  let seenNews = null;
  /** The next scroll is of a place that is found again, and nobody's wish. */
  let isRestoring = false;
  let height = 0;
  let width = 0;

  const rowActions = {
    share: actions.share,
    loadEarlier: () => actions.loadEarlier(),
    react: (node, name) => actions.react(rowOf(node), name),
    answered: node => seek(rowOf(node).replyTo),
    retry: node => actions.retry(node.dataset.row.slice(1)),
    discard: node => actions.discard(node.dataset.row.slice(1)),
  };

  const rows = createBlocks(byId('rows'), { make: row => rowElement(row, rowActions), update: (node, row, before) => updateRow(node, row, before, rowActions) });
  const rowOf = node => rows.itemOf(node).row;
  const menu = createMenu({ scroller, rowOf, may: actions.may, actions, say: actions.say });
  createKeys({ scroller, rows, open: menu.open, leave: actions.leave });

  scroller.addEventListener('scroll', () => {
    // The browser scrolled because the height changed: that is nobody's wish to be elsewhere.
    if (scroller.clientHeight !== height) return resized();
    following = isAtEnd();
    if (!isRestoring) sought = null;
    isRestoring = false;
    loadWhenNear();
    rows.look();
    actions.scrolled();
  }, { passive: true });
  keepFocus(scroller.parentElement);
  jump.addEventListener('click', () => {
    toEnd();
    // It is about to go; whoever is writing goes on.
    if ([jump, document.body].includes(document.activeElement)) scroller.focus();
  });
  back.addEventListener('click', () => {
    const mark = rows.get('new');
    if (mark) rows.reveal(mark).scrollIntoView({ block: 'start' });
    if ([back, document.body].includes(document.activeElement)) scroller.focus();
  });
  new ResizeObserver(resized).observe(scroller);

  /** A phone's keyboard, a banner or a growing text field takes height: at the end it stays at the end. */
  function resized() {
    height = scroller.clientHeight;
    // At another width the rows have other heights.
    if (width !== scroller.clientWidth) rows.measureAgain();
    width = scroller.clientWidth;
    if (following) toEnd();
  }

  function isAtEnd() {
    return scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight <= END_PX;
  }

  /** What is to be seen there is in the page before the browser arranges it, once, to say how far down that is. */
  function toEnd() {
    rows.drawEnd(height);
    jump.hidden = true;
    scroller.scrollTop = END_TOP;
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
    menu.hide();
    rows.reconcile(rowsOf(room));
    if (changed) sought = place === null ? null : { place, pages: SOUGHT_PAGES, target: null };
    settle(place);
    loadWhenNear();
    // At the end all that is in view is there.
    if (following) rows.lookSoon();
    else rows.look();
    scroller.setAttribute('aria-busy', String(room.loading !== null));
  }

  /** A place that is not among what is loaded, as after the page was loaded again, is looked for in what was said earlier. */
  function settle(place) {
    if (sought !== null && restore(sought.place)) {
      if (sought.target !== null) return found();
      if (shown.loading === null && shown.live) sought = null;
      return;
    }
    if (place !== null) restore(place);
    else if (sought === null) return toEnd();
    if (sought === null || !shown.live || shown.loading !== null) return;
    const { target, pages } = sought;
    const isAhead = target === null || target < (shown.messages[0]?.seq ?? Infinity);
    if (isAhead && shown.more && !shown.loadError && pages > 0) {
      sought.pages -= 1;
      return actions.loadEarlier(target === null ? undefined : ANSWERED_PAGE);
    }
    sought = null;
    if (target === null) return toEnd();
    actions.say(isAhead && shown.more ? 'That message is too far back to be shown here.' : 'That message can no longer be seen.');
  }

  /** Leads to the message with this number, and loads what is between. */
  function seek(target) {
    const item = rows.find(row => row.kind === 'message' && row.seq === target);
    sought = { place: [{ row: item?.row.id ?? `s${target}`, seq: target, end: FOUND_PX }], pages: ANSWERED_PAGES, target };
    // What comes now moves nothing, also for whoever is at the end.
    if (item === undefined) following = false;
    if (shown.loading === null) settle(placeNow());
  }

  function found() {
    const { node } = rows.find(row => row.kind === 'message' && row.seq === sought.target);
    sought = null;
    following = isAtEnd();
    rows.look();
    node.focus({ preventScroll: true });
    node.classList.add('found');
    setTimeout(() => node.classList.remove('found'), FOUND_MS);
    actions.scrolled();
  }

  /** Another room is to be shown: where this one was left is remembered, and its rows go. */
  function leave(left, next) {
    if (left !== null && left.epoch !== null) {
      if (following) places.delete(left.code);
      else places.set(left.code, placeNow());
    }
    if (left?.code === next.code && left.epoch !== null) places.delete(next.code);
    rows.clear();
    following = !places.has(next.code);
  }

  /** What was said earlier is not read out as if it were said now. */
  function fillQuietly() {
    scroller.setAttribute('aria-live', 'off');
    setTimeout(() => scroller.setAttribute('aria-live', 'polite'), QUIET_MS);
  }

  /** The lines in view, each with how far its end is below the upper edge; the next best where there are none. */
  function placeNow() {
    const { top, bottom } = scroller.getBoundingClientRect();
    const seen = rows.between(top, bottom);
    const below = rows.next(seen.at(-1), 1, LINES) ?? rows.next(undefined, -1, LINES);
    const lines = seen.filter(({ row }) => LINES.has(row.kind)).concat(below ?? []);
    return lines.length > 0 ? lines.map(item => ({ row: item.row.id, seq: item.row.seq ?? null, end: endOf(item) - top })) : null;
  }

  /** Puts the first of these lines that is still there where it was. */
  function restore(place) {
    // One's own message has another name after a reload.
    const itemOf = ({ row, seq }) => rows.get(row) ?? (seq === null ? undefined : rows.get(`s${seq}`));
    const held = place.find(line => itemOf(line) !== undefined);
    if (!held) return false;
    const { top } = scroller.getBoundingClientRect();
    const before = scroller.scrollTop;
    scroller.scrollTop += endOf(itemOf(held)) - top - held.end;
    isRestoring = scroller.scrollTop !== before;
    return true;
  }

  /** A row is held at its end: at its start it may lose the name above it, when earlier ones of its sender come. */
  const endOf = item => rows.reveal(item).getBoundingClientRect().bottom;

  function renderJump(room) {
    jump.hidden = following;
    setText(jumpWords, room.unread > 0 ? count(room.unread, 'new message') : 'To the newest');
    jump.classList.toggle('fresh', room.unread > 0);
  }

  /** The way back to where what is new begins, while that is above what one sees, until one has been there. */
  function renderBack() {
    const mark = rows.get('new');
    if (mark === undefined) {
      back.hidden = true;
      return;
    }
    const [view, { top, bottom }] = [scroller.getBoundingClientRect(), rows.boxOf(mark)];
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
    /** Where each room was left, for the page after this one. */
    get places() {
      const all = new Map(places);
      if (shown !== null && shown.epoch !== null) {
        const place = following ? null : placeNow();
        if (place === null) all.delete(shown.code);
        else all.set(shown.code, place);
      }
      return [...all];
    },
    focus: () => scroller.focus(),
  };
}

const isSameLog = (a, b) => Object.keys(b).every(field => ELSEWHERE.has(field) || a[field] === b[field]);
