// The form to create a room or to join one, with each refusal beside the field it is about.

import { base, byId, el, setText } from './dom.js';
import { loadNick, saveNick } from './storage.js';
import { errorWords, nickTakenWords } from './words.js';

/** The field each error is about; the others are told above the form. */
const FIELD_OF = {
  nick_taken: 'nick',
  room_not_found: 'code',
  name_taken: 'name',
  banned: 'code',
  room_full: 'code',
  room_locked: 'code',
  secret_wrong: 'secret',
};

/** Makes the form. `ask(frame)` is called with the command that was filled in, `cancel()` when it is not wanted after all. */
export function createHome({ ask, cancel }) {
  const nick = byId('nick');
  const code = byId('code');
  const name = byId('name');
  /** Shown once a room has asked for it. */
  const secret = byId('secret');
  const joinButton = byId('join-form').querySelector('[type=submit]');
  const createButton = byId('create-form').querySelector('[type=submit]');
  const instead = byId('create-instead');
  let told = null;
  nick.value = loadNick();

  byId('join-form').addEventListener('submit', event => {
    event.preventDefault();
    submit('join', code);
  });
  byId('create-form').addEventListener('submit', event => {
    event.preventDefault();
    submit('create', name);
  });
  for (const input of [nick, code, name, secret]) input.addEventListener('input', () => fieldError(input, ''));
  for (const input of [code, name]) input.addEventListener('input', () => hint(input));
  code.addEventListener('input', () => { secret.hidden = instead.hidden = true; });
  instead.addEventListener('click', () => submit('create', code));
  byId('home-cancel').addEventListener('click', cancel);

  function submit(type, roomInput) {
    showErrors(null);
    const room = codeIn(roomInput.value);
    const isNamed = roomInput.value.trim() !== '';
    if (nick.value.trim() === '') return refuse(nick, 'Say first who you are.');
    if (type === 'join' && !isNamed) return refuse(code, 'Which room? Its code is what others call it by.');
    if (isNamed && !isCode(room)) {
      return refuse(roomInput, 'A room is called by 3 to 32 of A to Z, 0 to 9 and hyphens.');
    }
    saveNick(nick.value.trim());
    const shown = type === 'join' && !secret.hidden && secret.value !== '' ? { secret: secret.value } : {};
    ask(room === '' ? { type, nick: nick.value } : { type, nick: nick.value, room, ...shown });
  }

  function refuse(input, words) {
    fieldError(input, words);
    input.focus();
  }

  /** What a room is called that is written with other signs than rooms have. */
  function hint(input) {
    const typed = input.value.slice(input.value.lastIndexOf('#') + 1).trim();
    const room = codeIn(typed);
    const line = byId(`${input.id}-hint`);
    line.hidden = !isCode(room) || room === typed.toUpperCase();
    setText(line, line.hidden ? '' : `The room is called ${room}`);
  }

  function fieldError(input, words) {
    const line = byId(`${input.id}-error`);
    setText(line, words);
    line.hidden = words === '';
    input.setAttribute('aria-invalid', String(words !== ''));
    if (words === '') input.removeAttribute('aria-describedby');
    else input.setAttribute('aria-describedby', line.id);
  }

  function showErrors(asking) {
    for (const input of [nick, code, name, secret]) fieldError(input, '');
    instead.hidden = true;
    const error = asking?.error;
    const where = error && fieldOf(asking);
    if (where === 'secret') secret.hidden = false;
    if (where) refuse(byId(where), error.code === 'nick_taken' ? nickTakenWords(error) : errorWords(error));
    if (error?.code === 'room_not_found') offerToCreate(asking.frame.room);
    setText(byId('home-error'), error && !where ? errorWords(error) : '');
    byId('home-error').hidden = !error || Boolean(where);
  }

  /** Whoever was sent a link that has died can make the room that it leads to. */
  function offerToCreate(room) {
    code.value = room;
    instead.hidden = false;
    setText(instead, `Create ${room}`);
    instead.focus();
  }

  function fieldOf({ frame, error }) {
    if (error.field === 'room') return frame.type === 'join' ? 'code' : 'name';
    if (error.field === 'nick') return 'nick';
    return FIELD_OF[error.code];
  }

  /** The rooms that anybody may come into, where the server has any. */
  async function showLobby() {
    const { rooms = [] } = await fetch(`${base()}lobby`).then(answer => answer.ok ? answer.json() : {}).catch(() => ({}));
    byId('lobby').hidden = rooms.length === 0;
    byId('lobby-list').replaceChildren(...rooms.map(room => el('li', {}, el('button', {
      class: 'secondary', type: 'button', text: room,
      on: {
        click() {
          code.value = room;
          submit('join', code);
        },
      },
    }))));
  }

  return {
    render({ asking, connection, rooms }) {
      byId('home-cancel').hidden = rooms.length === 0;
      if (asking !== told) {
        if (asking?.error || !asking) showErrors(asking);
        if (!asking && !told.error) {
          code.value = name.value = secret.value = '';
          secret.hidden = true;
          hint(code);
          hint(name);
        }
        told = asking;
      }
      const busy = asking !== null && asking.error === null;
      const words = (type, idle, doing) => {
        if (!busy || asking.frame.type !== type) return idle;
        return connection.name === 'open' ? doing : 'Waiting…';
      };
      joinButton.disabled = createButton.disabled = busy;
      setText(joinButton, words('join', 'Join', 'Joining…'));
      setText(createButton, words('create', 'Create room', 'Creating…'));
    },
    /** Fills in the code of a share link. */
    invite(invited) {
      code.value = invited;
      instead.hidden = true;
      hint(code);
      const lead = invited ? `You are invited to the room ${invited}.` : 'Make a room, pass its code on, talk.';
      setText(byId('home-lead'), lead);
      byId('home').classList.toggle('invited', invited !== '');
    },
    /** To the first field that still has to be filled in. */
    focus() {
      showLobby();
      const missing = [nick, code].find(input => input.value === '');
      (missing ?? joinButton).focus();
    },
  };
}

/** Letters of which no mark can be taken away. */
const SPELT = { ß: 'SS', ẞ: 'SS', Æ: 'AE', Ø: 'O', Œ: 'OE', Ł: 'L', Đ: 'D', Þ: 'TH' };

/** A code as typed or pasted: a whole share link will do, and a name with spaces and umlauts. What cannot be spelt stays, and is refused. */
export const codeIn = text => text.slice(text.lastIndexOf('#') + 1).trim().toUpperCase()
  .normalize('NFKD').replace(/\p{M}/gu, '').replace(/[ßẞÆØŒŁĐÞ]/g, letter => SPELT[letter])
  .replace(/['’.,!?()]/g, '').replace(/[\s_–—-]+/g, '-').replace(/^-|-$/g, '');

/** Whether a room may be called so. */
export const isCode = text => /^[A-Z0-9-]{3,32}$/.test(text);
