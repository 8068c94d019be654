// What stands above the page until a choice, Escape or Back closes it, and the places below: each has an entry of the browser's history.
//
// Back closes what stands above first, then leads to the place before.

/** A layer that was closed otherwise lets its entry go after this time, unless what comes next takes it over. */
const SETTLE_MS = 50;

const layers = [];
/** So many of the newest entries are of layers that have gone. */
let spent = 0;
let settleTimer = null;
let isGoingBack = false;
let waiting = [];

/** Opens a layer: Back calls `close()`. What is returned is called when it was closed otherwise. */
export function openLayer(close) {
  const layer = { close };
  layers.push(layer);
  enter({ ...history.state, layer: layers.length }, location.href);
  return () => {
    const index = layers.indexOf(layer);
    if (index < 0) return;
    layers.splice(index, 1);
    spent += 1;
    clearTimeout(settleTimer);
    settleTimer = setTimeout(settle, SETTLE_MS);
  };
}

/** Whether anything stands above the page. */
export const hasLayer = () => layers.length > 0;

/** The address of another place; `from` is the one before. */
export const goTo = (address, from) => enter({ from }, address);

/** The address of the place that one is at, in place of what it was. */
export function stayAt(address) {
  whenSettled(() => history.replaceState(history.state, '', address));
}

/** Calls `onPlace()` when the address has changed by Back, Forward or by hand. */
export function onPlaceChange(onPlace) {
  addEventListener('popstate', () => {
    if (isGoingBack) {
      isGoingBack = false;
      for (const then of waiting.splice(0)) then();
      return;
    }
    spent = 0;
    layers.pop()?.close();
    onPlace();
  });
}

/** A menu or note of the browser's own kind is a layer while it is open. */
export function popoverLayer(node) {
  let closed = () => {};
  node.addEventListener('toggle', ({ newState }) => {
    closed();
    closed = newState === 'open' ? openLayer(() => node.hidePopover()) : () => {};
  });
}

function enter(state, address) {
  whenSettled(() => {
    const method = spent > 0 ? 'replaceState' : 'pushState';
    spent = 0;
    history[method](state, '', address);
  });
}

function settle() {
  if (spent === 0 || isGoingBack) return;
  isGoingBack = true;
  history.go(-spent);
  spent = 0;
}

/** On its way back the browser would undo what is entered meanwhile. */
function whenSettled(then) {
  if (isGoingBack) waiting.push(then);
  else then();
}
