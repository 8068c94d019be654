// The head of a room: its code and link to pass on, its topic, and the way out.

import { ask } from './dialog.js';
import { base, byId, copyText, keepFocus, setText } from './dom.js';
import { moderates } from './room.js';
import { count } from './words.js';

/** Makes the head. `actions` are `act(frame)`, `leave(code)` and `say(words)`. */
export function createHead({ act, leave, say }) {
  let room = null;

  byId('copy-code').addEventListener('click', () => copy(room.code, 'Code copied'));
  byId('copy-link').addEventListener('click', share);
  for (const id of ['copy-code', 'copy-link']) keepFocus(byId(id));
  byId('edit-topic').addEventListener('click', () => ask({
    title: 'Topic of the room',
    input: { label: 'What is it about?', value: room.topic, maxlength: 200 },
    choices: [{
      label: 'Set topic', style: 'primary',
      run: topic => act({ type: 'topic', room: room.code, topic: topic.trim() }),
    }],
  }));
  byId('leave').addEventListener('click', () => leave(room.code));

  async function copy(text, words) {
    say(await copyText(text) ? words : `Copying is not allowed here. Copy it by hand: ${text}`);
  }

  function share() {
    const url = `${base()}#${room.code}`;
    // Where people pass things on by other apps, they do so here.
    if (navigator.share === undefined || !matchMedia('(pointer: coarse)').matches) return copy(url, 'Link copied');
    navigator.share({ title: room.code, text: room.topic || `Come to the room ${room.code}`, url })
      .catch(error => error.name === 'AbortError' || copy(url, 'Link copied'));
  }

  return {
    share,
    render(shown) {
      room = shown;
      setText(byId('room-code'), room.code);
      setText(byId('topic'), room.topic);
      byId('topic').title = room.topic;
      byId('edit-topic').hidden = !moderates(room) || !room.live;
      setText(byId('members-count'), room.membersTotal > 0 ? String(room.membersTotal) : '');
      byId('show-members').setAttribute('aria-label', `Members: ${count(room.membersTotal, 'person', 'people')}`);
    },
    focus: () => byId('room-code').focus(),
  };
}
