// The rows on screen, in blocks: the browser draws those that are near to the view, and far from it a block is no more than its height.

import { el } from './dom.js';
import { sameRow } from './timeline.js';

/** A block takes so many rows: about as many as are in view. */
const BLOCK_ROWS = 20;
/** So many blocks on either side of those in view are drawn with them: the browser need not find out that they came into view, and start again. */
const DRAWN = 1;
/** So many have their rows in the page: several views, so that a flick shows no empty one. */
const AROUND = 4;
/** After a leap those come so much later: whoever waits for the leap does not wait for them. */
const AROUND_MS = 50;
/** So far from the view blocks keep theirs: who goes to and fro makes no work, and a log of some hundred rows is there as a whole. */
const KEPT = 8;
/** So many at the end always do: more often than anywhere else one leaps there. */
const KEPT_AT_END = 3;
/** What is far from the view goes so long after a move, when nobody waits for what that shows. */
const TIDY_MS = 200;

/** Makes the rows in `list`, inside what scrolls. `make(row)` makes an element, `update(node, row, before)` brings one up to date. */
export function createBlocks(list, { make, update }) {
  /** In order: `{ row, node, block }`. */
  let shown = [];
  const byId = new Map();
  /**
   * The block of an element: `{ node, size, isOpen, isMeasured, height, away }`, with the rows in `away` while they are not in the page; its
   * height is known once it is measured.
   */
  const blockOf = new WeakMap();
  /** Those in which something has changed. */
  const touched = new Set();
  let looking = null;
  let tidying = null;
  /** The first block that was in view when somebody looked last. */
  let seen = 0;
  const firstDrawn = new ResizeObserver(entries => {
    for (const { target, borderBoxSize: [{ blockSize }] } of entries) {
      firstDrawn.unobserve(target);
      const block = blockOf.get(target);
      block.height = blockSize;
      block.isMeasured = true;
    }
    // What is out of view is left undrawn a moment later: now, the browser would arrange this frame once more.
    tidySoon();
  });

  /** What is out of view is not drawn, but for once: then its height is known, and nothing moves by a guess. */
  function drawOnce(block) {
    fill(block);
    draw(block);
    block.isMeasured = false;
    firstDrawn.observe(block.node);
  }

  const draw = block => block.node.classList.remove('skipped');

  function fill(block) {
    if (block.away === null) return;
    // What comes back is nothing that is said now.
    block.node.setAttribute('aria-live', 'off');
    block.node.append(...block.away);
    block.away = null;
    block.node.style.height = '';
    block.node.classList.remove('away');
  }

  function empty(block) {
    block.away = [...block.node.children];
    block.node.style.height = `${block.height}px`;
    block.node.style.containIntrinsicHeight = `auto ${block.height}px`;
    block.node.replaceChildren();
    block.node.classList.add('away');
  }

  /** Calls `use(block, distance, fromEnd)` with each block, how many are between it and the view, and how many come after it; answers whether one has leapt. */
  function measure(use) {
    const { top, bottom } = list.parentElement.getBoundingClientRect();
    const from = firstBelow(top);
    const blocks = [...list.children];
    let to = from;
    while (to < blocks.length && blocks[to].getBoundingClientRect().top < bottom) to += 1;
    const isLeap = Math.abs(from - seen) > AROUND;
    seen = from;
    blocks.forEach((node, index) => use(blockOf.get(node), Math.max(from - index, index - to + 1, 0), blocks.length - 1 - index));
    return isLeap;
  }

  /** Rows come into the page as they come near to the view, before it is drawn; after a leap those that are in view come first. */
  function look() {
    clearTimeout(looking);
    looking = null;
    const near = [];
    const isLeap = measure((block, distance) => {
      if (distance <= DRAWN) {
        fill(block);
        draw(block);
      } else if (distance <= AROUND) near.push(block);
    });
    if (isLeap) lookSoon();
    else near.forEach(fill);
    tidySoon();
  }

  const lookSoon = () => {
    looking ??= setTimeout(look, AROUND_MS);
  };
  const tidySoon = () => {
    tidying ??= setTimeout(tidy, TIDY_MS);
  };

  /** They go as they get far from it; not those with the focus, or with an end of the selection. */
  function tidy() {
    tidying = null;
    const { anchorNode, focusNode } = getSelection();
    const held = [document.activeElement, anchorNode, focusNode].map(node => list.contains(node) && parentBlock(node));
    measure((block, distance, fromEnd) => {
      if (distance <= DRAWN || !block.isMeasured || block.away !== null) return;
      block.node.classList.add('skipped');
      if (distance > KEPT && fromEnd >= KEPT_AT_END && !held.includes(block.node)) empty(block);
    });
  }

  const parentBlock = node => (node.nodeType === Node.ELEMENT_NODE ? node : node.parentElement).closest('.block');

  /** The first block that ends below a height on screen. */
  function firstBelow(top) {
    const blocks = list.children;
    let [low, high] = [0, blocks.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (blocks[middle].getBoundingClientRect().bottom <= top) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  function makeBlock() {
    const block = { node: el('ol', { class: 'block' }), size: 0, isOpen: true, isMeasured: false, height: 0, away: null };
    blockOf.set(block.node, block);
    return block;
  }

  function newBlock(before) {
    const block = makeBlock();
    if (before === undefined) list.prepend(block.node);
    else before.node.after(block.node);
    return block;
  }

  /** Makes two blocks of one, between a row and the next; the fewer rows move. */
  function split({ node: last, block }) {
    fill(block);
    const nodes = [...block.node.children];
    const at = nodes.indexOf(last) + 1;
    const isHead = at <= nodes.length - at;
    const other = makeBlock();
    if (isHead) block.node.before(other.node);
    else block.node.after(other.node);
    for (const node of isHead ? nodes.slice(0, at) : nodes.slice(at)) {
      other.node.append(node);
      byId.get(node.dataset.row).block = other;
      other.size += 1;
      block.size -= 1;
    }
    touched.add(block).add(other);
  }

  /** Puts a row between two others, each of which may be missing. */
  function insert(item, before, after) {
    const isFull = () => before === undefined || before.block.size >= BLOCK_ROWS || !before.block.isOpen;
    if (isFull() && before !== undefined && after?.block === before.block) split(before);
    const block = isFull() ? newBlock(before?.block) : before.block;
    item.block = block;
    block.size += 1;
    fill(block);
    block.node.removeAttribute('aria-live');
    if (before?.block === block) before.node.after(item.node);
    else block.node.prepend(item.node);
    // The start stands alone: what is loaded comes below it.
    if (item.row.kind === 'start') block.isOpen = false;
    touched.add(block);
  }

  function remove({ node, block }) {
    if (block.away === null) node.remove();
    else block.away.splice(block.away.indexOf(node), 1);
    block.size -= 1;
    touched.add(block);
    if (block.size > 0) return;
    firstDrawn.unobserve(block.node);
    block.node.remove();
  }

  return {
    get: id => byId.get(id),
    find: wanted => shown.find(({ row }) => wanted(row)),
    itemOf: node => byId.get(node.dataset.row),
    /** Rows that stay are not moved, but for a few where many come between them: what moves is read out a second time. */
    reconcile(wanted) {
      const most = Math.min(wanted.length, shown.length);
      let head = 0;
      while (head < most && isSame(shown[head].row, wanted[head])) head += 1;
      let tail = 0;
      while (tail < most - head && isSame(shown.at(-1 - tail).row, wanted.at(-1 - tail))) tail += 1;
      const rows = wanted.slice(head, wanted.length - tail);
      const ids = new Set(rows.map(row => row.id));
      const kept = [];
      for (const item of shown.slice(head, shown.length - tail)) {
        if (ids.has(item.row.id)) kept.push(item);
        else {
          byId.delete(item.row.id);
          remove(item);
        }
      }
      const end = shown[shown.length - tail];
      const moved = new Set();
      let before = shown[head - 1];
      let next = 0;
      const items = rows.map(row => {
        while (moved.has(kept[next])) next += 1;
        let item = byId.get(row.id);
        if (item === undefined) {
          item = { row, node: make(row), block: undefined };
          item.node.dataset.row = row.id;
          byId.set(row.id, item);
          insert(item, before, kept[next] ?? end);
        } else {
          if (item === kept[next]) next += 1;
          else {
            moved.add(item);
            remove(item);
            insert(item, before, kept[next] ?? end);
          }
          if (!sameRow(item.row, row)) {
            update(item.node, row, item.row);
            touched.add(item.block);
          }
          item.row = row;
        }
        before = item;
        return item;
      });
      shown = [...shown.slice(0, head), ...items, ...shown.slice(shown.length - tail)];
      for (const block of touched) if (block.size > 0) drawOnce(block);
      touched.clear();
    },
    look,
    lookSoon,
    /** What fills a view of this height from the end is there, and drawn: what is around it follows. */
    drawEnd(height) {
      let filled = 0;
      for (let node = list.lastElementChild; node && filled < height; node = node.previousElementSibling) {
        const block = blockOf.get(node);
        fill(block);
        draw(block);
        // As it was measured last, which is near enough.
        filled += block.height;
      }
    },
    /** The element of a row, in the page. */
    reveal({ node, block }) {
      fill(block);
      return node;
    },
    /** Where a row is on screen; far from the view, where its block is. */
    boxOf: ({ node, block }) => (block.away === null ? node : block.node).getBoundingClientRect(),
    /** The rows of these kinds that a selection takes in, also those that are not in the page. */
    selected(selection, kinds) {
      const isIn = ({ node, block }) => selection.containsNode(block.away === null ? node : block.node, true);
      return shown.filter(item => kinds.has(item.row.kind) && isIn(item));
    },
    clear() {
      shown = [];
      byId.clear();
      list.replaceChildren();
    },
    /** At another width all have other heights. */
    measureAgain() {
      for (const node of list.children) drawOnce(blockOf.get(node));
    },
    /** The rows between two heights on screen, in order; the last one above them where there are none. */
    between(top, bottom) {
      const seen = [];
      for (let node = list.children[firstBelow(top)]; node && node.getBoundingClientRect().top < bottom; node = node.nextElementSibling) {
        fill(blockOf.get(node));
        for (const child of node.children) {
          const { top: from, bottom: to } = child.getBoundingClientRect();
          if (to > top && from < bottom) seen.push(byId.get(child.dataset.row));
        }
      }
      return seen;
    },
    /** The next row of these kinds from one on, forward (1) or back (-1); without one, from that end. */
    next(item, step, kinds) {
      let index = item === undefined ? (step > 0 ? -1 : shown.length) : shown.indexOf(item);
      do index += step; while (shown[index] && !kinds.has(shown[index].row.kind));
      return shown[index];
    },
  };
}

const isSame = (a, b) => a === b || (a.id === b.id && sameRow(a, b));
