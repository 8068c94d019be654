// Makes elements. Text only ever goes in as text: nothing in the page parses markup.
//
// What others wrote stands in an element of its own with `dir="auto"` or in a `bdi`: it may run from right to left, and turns around
// nothing beside it.

import { plain } from './words.js';

const SVG = 'http://www.w3.org/2000/svg';

/** Where the page and the server are: the origin, or a path below it, with a slash at the end. */
export const base = () => location.origin + location.pathname.replace(/[^/]*$/, '');

/** The element of the page with this id. */
export const byId = id => document.getElementById(id);

/**
 * A new element. `props` are attributes, except `class`, `text` and `on` (listeners by event name); a value of
 * `true` sets an empty attribute, `false`, `null` and `undefined` set none.
 */
export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name === 'on') for (const [event, listener] of Object.entries(value)) node.addEventListener(event, listener);
    else if (name === 'text') node.textContent = value;
    else if (value === true) node.setAttribute(name, '');
    else if (value !== false && value != null) node.setAttribute(name, value);
  }
  node.append(...children.filter(child => child != null));
  return node;
}

/** A picture from the symbols in index.html; silent, because the button around it has the name. */
export function icon(name) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('class', 'icon');
  svg.setAttribute('aria-hidden', 'true');
  const use = document.createElementNS(SVG, 'use');
  use.setAttribute('href', `#icon-${name}`);
  svg.append(use);
  return svg;
}

/** Sets the text only when it differs, so that a live region stays quiet. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** The same with words of which parts are `theirs`. */
export function setWords(node, words) {
  if (node.textContent !== plain(words)) node.replaceChildren(...wordNodes(words));
}

/** Words as what goes into an element. */
export const wordNodes = words =>
  [words].flat().map(part => typeof part === 'string' ? part : el('bdi', { text: part.theirs }));

/** A press on a button in `root`, or beside it, leaves the focus where it is: a phone's keyboard goes with the focus. */
export function keepFocus(root) {
  root.addEventListener('mousedown', event => {
    if (event.target === root || event.target.closest('button')) event.preventDefault();
  });
}

/** Whether a key is meant for an input method that is composing a word, as in Japanese. Safari tells by the code alone. */
export const isComposing = event => event.isComposing || event.keyCode === 229;

/** Copies text, also where the clipboard interface is withheld (plain http on another host). */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const back = document.activeElement;
    const area = el('textarea', { class: 'visually-hidden', 'aria-hidden': 'true', tabindex: '-1' });
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand('copy');
    area.remove();
    back?.focus();
    return done;
  }
}
