// A room in plain DOM: a list of what its log says, and a form to write in.

import { connect } from 'chat-core-client';

/** Shows a room in `list` (a `<ul>`), sends what is written in `form`, and says in `note` how it stands. */
export async function showRoom({ list, form, note, code, nick, ...options }) {
  const room = await connect(options).join(code, { nick });
  // A message that has not changed is the same object, and keeps its row.
  const rows = new WeakMap();
  const rowOf = message => rows.get(message) ?? rows.set(message, newRow(message)).get(message);

  function draw() {
    const { messages, status, typing, unread } = room.state;
    list.replaceChildren(...messages.map(rowOf));
    note.textContent = status === 'live' ? `${unread} unread, ${typing.length} writing` : status;
  }

  room.on('change', draw);
  form.addEventListener('input', () => room.typing());
  form.addEventListener('submit', event => {
    event.preventDefault();
    room.send(form.elements.text.value).catch(error => { note.textContent = error.message; });
    form.reset();
  });
  draw();
  return room;
}

function newRow({ nick, text, redacted }) {
  const [row, name, words] = ['li', 'bdi', 'bdi'].map(tag => document.createElement(tag));
  [name.textContent, words.textContent] = [nick, redacted ? 'taken back' : text];
  row.append(name, ': ', words);
  return row;
}
