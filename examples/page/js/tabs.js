// One's session over closed tabs: what a tab had when it was closed, another one takes up within the grace, so that one is oneself again.

/** A tab's own name, and where what it had is kept for a time. */
const TAB = 'chat.tab';
const KEPT = 'chat.closed.';
/** What is kept is good for as long as others see one come back; longer ones are of servers with another grace. */
const KEPT_MS_MAX = 10 * 60_000;

/**
 * Takes up what a closed tab had, where this one has nothing; `names` are the keys of `sessionStorage` that are its session, of which the
 * first says whether there is one. Locks say which tabs there still are: without them (over plain http from elsewhere) nothing is taken up.
 */
export async function takeUp(names) {
  const { locks } = navigator;
  if (locks === undefined) return;
  try {
    forgetOld();
    if (sessionStorage.getItem(names[0]) !== null) return hold(locks, sessionStorage.getItem(TAB) ?? newName());
    for (const key of keptKeys()) {
      if (await adopt(locks, key, names)) return;
    }
    hold(locks, newName());
  } catch {
    // Storage that is switched off keeps nothing.
  }
}

/** Keeps what this tab has: it may be closed now. `graceMs` is for how long others see one come back. */
export function keepForLater(names, graceMs) {
  try {
    const tab = sessionStorage.getItem(TAB);
    if (tab === null) return;
    const values = names.map(name => sessionStorage.getItem(name));
    if (values[0] === null) return localStorage.removeItem(KEPT + tab);
    localStorage.setItem(KEPT + tab, JSON.stringify({ values, until: Date.now() + Math.min(graceMs, KEPT_MS_MAX) }));
  } catch {
    // See above.
  }
}

const keptKeys = () => Object.keys(localStorage).filter(key => key.startsWith(KEPT));

function forgetOld() {
  for (const key of keptKeys()) if (!(JSON.parse(localStorage.getItem(key))?.until > Date.now())) localStorage.removeItem(key);
}

/** Takes a closed tab's place, unless there is somebody in it. */
function adopt(locks, key, names) {
  const tab = key.slice(KEPT.length);
  return new Promise(done => {
    locks.request(lockOf(tab), { ifAvailable: true }, lock => {
      const kept = lock === null ? null : JSON.parse(localStorage.getItem(key));
      if (kept === null) return done(false);
      localStorage.removeItem(key);
      sessionStorage.setItem(TAB, tab);
      names.forEach((name, index) => kept.values[index] !== null && sessionStorage.setItem(name, kept.values[index]));
      done(true);
      return forEver;
    }).catch(() => done(false));
  });
}

function newName() {
  const tab = crypto.randomUUID();
  sessionStorage.setItem(TAB, tab);
  return tab;
}

/** For as long as there is this tab. A copied one waits for its turn. */
const hold = (locks, tab) => void locks.request(lockOf(tab), () => forEver);

const lockOf = tab => `chat tab ${tab}`;
const forEver = new Promise(() => {});
