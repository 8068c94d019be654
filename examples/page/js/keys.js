// The log by keyboard: one stop for Tab, arrow keys from message to message, Enter for what may be done with one. And what is copied of it.

import { clock } from './time.js';

const MESSAGES = new Set(['message']);

/** Makes the keys of the log `scroller` with its `rows`. `open(node, at)` opens the menu of a message, `leave()` goes where one writes. */
export function createKeys({ scroller, rows, open, leave }) {
  const inRow = target => target.closest('.message');

  function go(item) {
    if (item === undefined) return;
    const node = rows.reveal(item);
    node.focus();
    node.scrollIntoView({ block: 'nearest' });
  }

  function nearest(step) {
    const { top, bottom } = scroller.getBoundingClientRect();
    const seen = rows.between(top, bottom).filter(({ row }) => MESSAGES.has(row.kind));
    return seen.at(step < 0 ? -1 : 0) ?? rows.next(undefined, step, MESSAGES);
  }

  scroller.addEventListener('keydown', event => {
    const node = inRow(event.target);
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (event.target === scroller) {
      if (event.key === 'Escape') return leave();
      if (step === undefined) return;
      event.preventDefault();
      return go(nearest(step));
    }
    if (node === null || event.ctrlKey || event.metaKey || event.altKey) return;
    const isMenu = event.key === 'ContextMenu' || (event.key === 'F10' && event.shiftKey) || (event.target === node && event.key === 'Enter');
    if (isMenu) {
      const { left, bottom } = node.querySelector('.bubble').getBoundingClientRect();
      open(node, { x: left, y: bottom });
    } else if (event.key === 'Escape') leave();
    else if (step !== undefined) go(rows.next(rows.itemOf(node), step, MESSAGES));
    else if (event.key === 'Home' || event.key === 'End') go(rows.next(undefined, event.key === 'Home' ? 1 : -1, MESSAGES));
    else return;
    event.preventDefault();
  });

  // The message that has the focus is where Tab goes on from, to what is in it.
  const turn = (node, tabIndex) => {
    for (const inner of node?.querySelectorAll('a, button') ?? []) inner.tabIndex = tabIndex;
  };
  scroller.addEventListener('focusin', ({ target }) => turn(inRow(target), 0));
  scroller.addEventListener('focusout', ({ target, relatedTarget }) => {
    const node = inRow(target);
    if (node !== null && !node.contains(relatedTarget)) turn(node, -1);
  });

  // Of several messages one wants to know who said what, and when.
  scroller.addEventListener('copy', event => {
    const chosen = rows.selected(getSelection(), MESSAGES);
    if (chosen.length < 2) return;
    const lines = chosen.map(({ row: { nick, at, text, redacted } }) => `${nick}, ${clock(at)}: ${redacted ? '(removed)' : text}`);
    event.clipboardData.setData('text/plain', lines.join('\n'));
    event.preventDefault();
  });
}
