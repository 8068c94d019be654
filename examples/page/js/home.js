// The form to create a room or to join one, with each refusal beside the field it is about.

import { byId, setText } from './dom.js';
import { loadNick, saveNick } from './storage.js';
import { errorWords } from './words.js';

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

/** Makes the form. `ask(frame)` is called with the command that was filled in. */
export function createHome({ ask }) {
  const nick = byId('nick');
  const code = byId('code');
  const name = byId('name');
  /** Shown once a room has asked for it. */
  const secret = byId('secret');
  const joinButton = byId('join-form').querySelector('button');
  const createButton = byId('create-form').querySelector('button');
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
  code.addEventListener('input', () => { secret.hidden = true; });

  function submit(type, roomInput) {
    showErrors(null);
    const room = codeIn(roomInput.value);
    if (nick.value.trim() === '') return refuse(nick, 'Say first who you are.');
    if (type === 'join' && room === '') return refuse(code, 'Which room? Its code is what others call it by.');
    if (room !== '' && !isCode(room)) {
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
    const error = asking?.error;
    const where = error && fieldOf(asking);
    if (where === 'secret') secret.hidden = false;
    if (where) refuse(byId(where), errorWords(error));
    setText(byId('home-error'), error && !where ? errorWords(error) : '');
    byId('home-error').hidden = !error || Boolean(where);
  }

  function fieldOf({ frame, error }) {
    if (error.field === 'room') return frame.type === 'join' ? 'code' : 'name';
    if (error.field === 'nick') return 'nick';
    return FIELD_OF[error.code];
  }

  return {
    render({ asking, connection }) {
      if (asking !== told) {
        if (asking?.error || !asking) showErrors(asking);
        if (!asking && !told.error) {
          code.value = name.value = secret.value = '';
          secret.hidden = true;
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
      const lead = invited ? `You are invited to the room ${invited}.` : 'Make a room, pass its code on, talk.';
      setText(byId('home-lead'), lead);
      byId('home').classList.toggle('invited', invited !== '');
    },
    /** To the first field that still has to be filled in. */
    focus() {
      const missing = [nick, code].find(input => input.value === '');
      (missing ?? joinButton).focus();
    },
  };
}

/** A code as typed or pasted: a whole share link will do. */
export const codeIn = text => text.slice(text.lastIndexOf('#') + 1).trim().toUpperCase();

/** Whether a room may be called so. */
export const isCode = text => /^[A-Z0-9-]{3,32}$/.test(text);
