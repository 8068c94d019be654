// The rows on screen, in blocks: when anything changes the browser looks at the blocks, and draws those that are near to the view.

import { el } from './dom.js';
import { sameRow } from './timeline.js';

/** A block takes so many rows: about as many as are in view. */
const BLOCK_ROWS = 20;

/** Makes the rows in `list`. `make(row)` makes an element, `update(node, row, before)` brings one up to date. */
export function createBlocks(list, { make, update }) {
  /** In order: `{ row, node, block }`. */
  let shown = [];
  const byId = new Map();
  const firstDrawn = new ResizeObserver(entries => {
    for (const { target } of entries) {
      firstDrawn.unobserve(target);
      target.classList.add('drawn');
    }
  });

  /** What is out of view is not drawn, but for once: then the browser knows its height, and nothing moves by a guess. */
  function drawOnce(node) {
    node.classList.remove('drawn');
    firstDrawn.observe(node);
  }

  function newBlock(before) {
    const node = el('ol', { class: 'block' });
    if (before === undefined) list.prepend(node);
    else before.node.after(node);
    return { node, size: 0, isOpen: true };
  }

  /** Makes two blocks of one, between a row and the next; the fewer rows move. */
  function split({ node: last, block }) {
    const nodes = [...block.node.children];
    const at = nodes.indexOf(last) + 1;
    const isHead = at <= nodes.length - at;
    const other = { node: el('ol', { class: 'block' }), size: 0, isOpen: true };
    if (isHead) block.node.before(other.node);
    else block.node.after(other.node);
    for (const node of isHead ? nodes.slice(0, at) : nodes.slice(at)) {
      other.node.append(node);
      byId.get(node.dataset.row).block = other;
      other.size += 1;
      block.size -= 1;
    }
    for (const { node } of [block, other]) drawOnce(node);
  }

  /** Puts a row between two others, each of which may be missing. */
  function insert(item, before, after) {
    const isFull = () => before === undefined || before.block.size >= BLOCK_ROWS || !before.block.isOpen;
    if (isFull() && before !== undefined && after?.block === before.block) split(before);
    const block = isFull() ? newBlock(before?.block) : before.block;
    item.block = block;
    block.size += 1;
    if (before?.block === block) before.node.after(item.node);
    else block.node.prepend(item.node);
    // The start stands alone: what is loaded comes below it.
    if (item.row.kind === 'start') block.isOpen = false;
    drawOnce(block.node);
  }

  function remove({ node, block }) {
    node.remove();
    block.size -= 1;
    if (block.size === 0) {
      firstDrawn.unobserve(block.node);
      block.node.remove();
    } else drawOnce(block.node);
  }

  return {
    get: id => byId.get(id),
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
            drawOnce(item.block.node);
          }
          item.row = row;
        }
        before = item;
        return item;
      });
      shown = [...shown.slice(0, head), ...items, ...shown.slice(shown.length - tail)];
    },
    clear() {
      shown = [];
      byId.clear();
      list.replaceChildren();
    },
    /** At another width all have other heights. */
    measureAgain() {
      for (const node of list.children) drawOnce(node);
    },
    /** The rows between two heights on screen, in order; the last one above them where there are none. */
    between(top, bottom) {
      const blocks = list.children;
      let [low, high] = [0, blocks.length];
      while (low < high) {
        const middle = (low + high) >> 1;
        if (blocks[middle].getBoundingClientRect().bottom <= top) low = middle + 1;
        else high = middle;
      }
      const seen = [];
      for (let node = blocks[low]; node && node.getBoundingClientRect().top < bottom; node = node.nextElementSibling) {
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
