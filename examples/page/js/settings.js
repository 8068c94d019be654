// What is set for a room, and who is kept out of it: for those who keep order there.

import { byId, el, setText, setWords } from './dom.js';
import { openLayer } from './layers.js';
import { errorWords, theirs, untilWords } from './words.js';

/** Makes the dialog. `act(frame)` asks for a change; `ask(frame)` answers with the answer, or fails. */
export function createSettings({ act, ask }) {
  const dialog = byId('settings');
  const form = byId('settings-form');
  const fields = Object.fromEntries(['slow', 'locked', 'read-only', 'listed', 'history', 'secret', 'open'].map(name => [name, byId(`set-${name}`)]));
  let room = null;
  let closed = () => {};

  byId('settings-cancel').addEventListener('click', () => dialog.close());
  dialog.addEventListener('close', () => closed());
  fields.secret.addEventListener('input', () => { fields.open.checked = false; });
  form.addEventListener('submit', event => {
    event.preventDefault();
    const change = changed();
    dialog.close();
    if (Object.keys(change).length > 0) act({ type: 'settings', room: room.code, ...change });
  });

  /** Only what is another than before. */
  function changed() {
    const { settings } = room;
    const wanted = {
      slow_ms: Number(fields.slow.value),
      locked: fields.locked.checked,
      read_only: fields['read-only'].checked,
      listed: fields.listed.checked,
    };
    const change = Object.fromEntries(Object.entries(wanted).filter(([name, value]) => value !== (settings[name] ?? (name === 'slow_ms' ? 0 : false))));
    if (fields.secret.value !== '') change.secret = fields.secret.value;
    else if (fields.open.checked) change.secret = null;
    if (fields.history.value !== '') change.history = fields.history.value === '50' ? 50 : fields.history.value;
    return change;
  }

  async function listBans() {
    const list = byId('ban-list');
    const { code } = room;
    try {
      const { bans } = await ask({ type: 'bans', room: code });
      if (room.code !== code) return;
      list.replaceChildren(...bans.map(ban => banRow(code, ban)));
      setText(byId('bans-note'), bans.length === 0 ? 'Nobody.' : '');
    } catch (error) {
      setText(byId('bans-note'), errorWords(error));
    }
  }

  function banRow(code, { ban, nick, until }) {
    const who = el('span');
    setWords(who, [theirs(nick ?? `Ban ${ban}`), untilWords(until)]);
    const node = el('li', {}, who, el('button', {
      class: 'quiet', type: 'button', text: 'Let in again', 'aria-label': `Let in again: ${nick ?? `ban ${ban}`}`,
      on: {
        async click() {
          await act({ type: 'unban', room: code, ban });
          listBans();
        },
      },
    }));
    return node;
  }

  return {
    open(shown) {
      room = shown;
      const { settings, you } = room;
      const slow = String(settings.slow_ms ?? 0);
      if (![...fields.slow.options].some(({ value }) => value === slow)) fields.slow.append(new Option(`${settings.slow_ms / 1_000} seconds`, slow));
      fields.slow.value = slow;
      fields.locked.checked = settings.locked ?? false;
      fields['read-only'].checked = settings.read_only ?? false;
      fields.listed.checked = settings.listed ?? false;
      fields.history.value = '';
      fields.history.parentElement.hidden = you.role !== 'owner';
      fields.secret.value = '';
      fields.open.checked = false;
      fields.open.parentElement.hidden = !settings.secret;
      byId('ban-list').replaceChildren();
      setText(byId('bans-note'), 'Loading…');
      dialog.showModal();
      closed = openLayer(() => dialog.close());
      listBans();
    },
  };
}
