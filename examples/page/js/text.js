// What somebody wrote as elements: addresses become links, and what stands in backticks code. All else goes in as text.

import { el } from './dom.js';

/** Code in a line, or lines of code between two fences. */
const CODE = /```\n?([^`]+?)\n?```|`([^`\n]+)`/g;
const LINK = /\bhttps?:\/\/[^\s<>"']+|(?<![\p{L}\p{N}@./-])www\.[^\s<>"'.]+\.[^\s<>"']+/giu;

/** Fills `node` with what somebody wrote. */
export function setRichText(node, text) {
  const parts = [];
  let done = 0;
  for (const { 0: all, 1: lines, 2: code, index } of text.matchAll(CODE)) {
    parts.push(...linked(text.slice(done, index)), el('code', { class: lines === undefined ? '' : 'lines', text: lines ?? code }));
    done = index + all.length;
  }
  node.replaceChildren(...parts, ...linked(text.slice(done)));
}

/** Text in which http and https addresses are links, also those that begin with `www.` */
function linked(text) {
  const parts = [];
  let done = 0;
  for (const match of text.matchAll(LINK)) {
    const shown = withoutTail(match[0]);
    const address = /^www\./i.test(shown) ? `https://${shown}` : shown;
    if (!URL.canParse(address)) continue;
    parts.push(text.slice(done, match.index));
    parts.push(el('a', { href: address, target: '_blank', rel: 'noopener noreferrer', dir: 'auto', tabindex: '-1', text: shown }));
    done = match.index + shown.length;
  }
  return [...parts, text.slice(done)];
}

/** Punctuation at the end belongs to the sentence, a closing bracket too unless the address has its opening one. */
function withoutTail(address) {
  let kept = address.replace(/[.,:;!?]+$/, '');
  if (kept.endsWith(')') && !kept.includes('(')) kept = kept.slice(0, -1);
  return kept;
}
