// What may be done with a message, in one menu: by the button beside it, by Enter on it, or by a long press.

import { byId, copyText, el } from './dom.js';
import { popoverLayer } from './layers.js';

/** The reactions that are offered; others that somebody has used can be joined. */
const OFFERED = ['👍', '❤️', '😂', '🎉'];
/** A finger that rests so long, and moves no further than that, asks for the menu. */
const PRESS_MS = 500;
const PRESS_PX = 10;
const EDGE_PX = 8;

/**
 * Makes the menu over the log `scroller`. `rowOf(node)` is the row of an element; `may(row)` says what may be done with it, as
 * `{ reply, react, edit, redact }`; `actions` does that, with the row, and `say(words)` tells.
 */
export function createMenu({ scroller, rowOf, may, actions, say }) {
  const menu = byId('message-menu');
  const button = byId('message-more');
  /** What had the focus before. */
  let origin = null;
  /** The message that the button is beside. */
  let beside = null;
  popoverLayer(menu);

  const messageOf = target => target.closest?.('.message');

  function open(node, at) {
    const row = rowOf(node);
    const items = itemsOf(row);
    if (items.length === 0) return;
    origin = document.activeElement === document.body ? node : document.activeElement;
    menu.replaceChildren(...items);
    menu.showPopover();
    const { width, height } = menu.getBoundingClientRect();
    const within = (value, size, all) => Math.max(EDGE_PX, Math.min(value, all - size - EDGE_PX));
    menu.style.left = `${within(at.x, width, innerWidth)}px`;
    menu.style.top = `${within(at.y, height, innerHeight)}px`;
    menu.querySelector('[role=menuitem]').focus();
  }

  function close() {
    menu.hidePopover();
    (origin.isConnected ? origin : scroller).focus({ preventScroll: true });
  }

  function itemsOf(row) {
    const is = may(row);
    const reactions = is.react ? [el('div', { class: 'offered', role: 'group', 'aria-label': 'React' }, ...OFFERED.map(name =>
      item(name, () => actions.react(row, name), { 'aria-label': `React with ${name}` })))] : [];
    return [
      ...reactions,
      is.reply && item('Reply', () => actions.reply(row)),
      row.state === 'told' && !row.redacted && item('Copy text', async () => {
        say(await copyText(row.text) ? 'Text copied' : 'Copying is not allowed here.');
      }),
      is.edit && item('Edit', () => actions.edit(row)),
      is.redact && item('Remove this message', () => actions.redact(row), { class: 'dangerous' }),
    ].filter(Boolean);
  }

  function item(text, run, props = {}) {
    const chosen = () => {
      close();
      run();
    };
    return el('button', { type: 'button', role: 'menuitem', tabindex: '-1', text, ...props, on: { click: chosen } });
  }

  menu.addEventListener('keydown', event => {
    const items = [...menu.querySelectorAll('[role=menuitem]')];
    const at = items.indexOf(document.activeElement);
    const to = { ArrowDown: at + 1, ArrowRight: at + 1, ArrowUp: at - 1, ArrowLeft: at - 1, Home: 0, End: -1 }[event.key];
    if (event.key === 'Escape' || event.key === 'Tab') {
      event.preventDefault();
      return close();
    }
    if (to === undefined) return;
    event.preventDefault();
    items.at(to % items.length).focus();
  });

  // The finger whose press has opened it is still down, and is none that was put down elsewhere.
  document.addEventListener('pointerdown', ({ target }) => {
    if (menu.matches(':popover-open') && !menu.contains(target)) menu.hidePopover();
  });

  /** The button stands beside the bubble that the mouse is over. */
  function show(node) {
    beside = node;
    if (node === null || itemsOf(rowOf(node)).length === 0) {
      button.hidden = true;
      return;
    }
    // The browser is asked before anything is changed: after that it would arrange the page to answer.
    const area = scroller.parentElement.getBoundingClientRect();
    const bubble = node.querySelector('.bubble').getBoundingClientRect();
    const isLeft = node.classList.contains('mine') !== (getComputedStyle(node).direction === 'rtl');
    button.hidden = false;
    button.style.left = `${isLeft ? bubble.left - area.left - 40 : bubble.right - area.left + 4}px`;
    button.style.top = `${Math.max(0, bubble.top - area.top)}px`;
  }

  const hide = () => {
    if (beside !== null) show(null);
  };
  scroller.addEventListener('pointerover', event => {
    if (event.pointerType !== 'mouse') return;
    const node = messageOf(event.target);
    if (node !== beside && node?.isConnected) show(node);
  });
  scroller.parentElement.addEventListener('pointerleave', hide);
  scroller.addEventListener('scroll', hide, { passive: true });
  button.addEventListener('click', () => {
    if (!beside?.isConnected) return hide();
    const { left, bottom } = button.getBoundingClientRect();
    open(beside, { x: left, y: bottom });
  });

  let press = null;
  const release = () => {
    clearTimeout(press?.timer);
    press = null;
  };
  scroller.addEventListener('pointerdown', event => {
    release();
    const node = messageOf(event.target);
    if (event.pointerType === 'mouse' || node === null || event.target.closest('button')) return;
    const at = { x: event.clientX, y: event.clientY };
    press = { at, timer: setTimeout(() => node.isConnected && open(node, at), PRESS_MS) };
  });
  scroller.addEventListener('pointermove', ({ clientX, clientY }) => {
    if (press !== null && Math.hypot(clientX - press.at.x, clientY - press.at.y) > PRESS_PX) release();
  });
  for (const name of ['pointerup', 'pointercancel']) scroller.addEventListener(name, release);
  // The browser's own menu would stand above it.
  scroller.addEventListener('contextmenu', event => {
    const node = messageOf(event.target);
    if (event.pointerType === 'touch' && node && !event.target.closest('a')) event.preventDefault();
  });

  return { open, hide };
}
