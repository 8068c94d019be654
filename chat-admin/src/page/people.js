// People on the operator's page: who of them is where, and the acts about a person: added to a room, their sessions ended, what they may taken back.

/** Wires the form of people, with the tools of the page; what comes back forgets whom it shows. */
export function people({ byId, make, put, sync, ask, act, attempt, sure, enter, inRoom, openRoom }) {
  /** Whose sessions are shown. */
  let identity = null;

  async function show() {
    if (identity === null) return;
    const whose = identity;
    const { sessions, more, silent } = await ask(`sessions?identity=${encodeURIComponent(whose)}`);
    if (whose !== identity) return;
    byId('person').hidden = false;
    put(byId('person-title'), whose);
    const words = [sessions.length === 0 && 'No session is known.', more && 'There are more than are shown.',
      silent.length > 0 && `Servers that have not answered: ${silent.join(', ')}.`].filter(Boolean);
    put(byId('person-facts'), words.join(' '));
    sync(byId('person-sessions'), sessions, ({ session }) => session, ({ session }) => make('li', {},
      make('div', {}, make('p', { class: 'session' }, session), make('p', { class: 'quiet' }), make('div', { class: 'row' })),
      make('button', { type: 'button', class: 'danger', 'aria-label': `End session ${session}`, onclick: () => end(session) }, 'End')),
    (item, { connected, rooms, node }) => {
      const [, facts] = item.querySelectorAll('p');
      put(facts, `${connected ? 'connected' : 'away'} · ${node ? `at ${node}` : 'at this server'} · ${rooms.length === 0 ? 'in no room' : 'in'}`);
      sync(item.querySelector('div.row'), rooms, room => room, room => make('button', { type: 'button', onclick: () => enter(room) }, room), () => {});
    });
  }

  async function end(session) {
    if (!await sure('End this session?', `${session} leaves its rooms and is disconnected for good.`, 'End session')) return;
    await done(`Session ${session} was ended.`, 'end', { session });
  }

  /** What is known of a person changes with what is done to them. */
  async function done(words, path, body) {
    await act(words, path, body);
    if (!byId('failed').textContent) await show().catch(error => put(byId('failed'), error.message));
  }

  const close = () => {
    identity = null;
    byId('person').hidden = true;
  };

  byId('find').addEventListener('submit', event => {
    event.preventDefault();
    identity = byId('find-identity').value;
    attempt(async () => {
      await show();
      byId('person-title').focus();
    });
  });
  byId('person-done').addEventListener('click', () => {
    close();
    byId('find-identity').focus();
  });
  byId('end-all').addEventListener('click', async () => {
    const whose = identity;
    if (!await sure(`End all sessions of ${whose}?`, 'They leave their rooms and are disconnected for good, at every server.', 'End all')) return;
    await done(`All sessions of ${whose} were ended.`, 'end', { identity: whose });
  });
  byId('revoke').addEventListener('submit', async event => {
    event.preventDefault();
    const whose = identity;
    const what = byId('revoke-what').value;
    const rooms = byId('revoke-rooms').value.split(/[\s,]+/).filter(Boolean);
    const words = {
      all: 'Their connections end, and who is still admitted comes back.',
      role: 'They are members where they moderate or own a room by what they were admitted for.',
      rooms_but: `They leave all rooms but ${rooms.join(', ') || 'none'}.`,
    }[what];
    if (!await sure(`Take back what ${whose} may?`, words, 'Take back')) return;
    await done(`It was taken back from ${whose}.`, 'revoke', { identity: whose, what, ...what === 'rooms_but' && { rooms } });
  });
  byId('revoke-what').addEventListener('change', () => {
    byId('revoke-rooms-of').hidden = byId('revoke-what').value !== 'rooms_but';
  });
  byId('add').addEventListener('submit', event => {
    event.preventDefault();
    const [whom, nick] = [byId('add-identity').value, byId('add-nick').value.trim()];
    attempt(async () => {
      const added = await ask(inRoom(openRoom(), '/add'), { method: 'POST', body: { identity: whom, ...nick && { nick } } });
      put(byId('told'), wordsOf(whom, added));
      byId('add').reset();
    });
  });
  return { close };
}

function wordsOf(whom, { attached, invited_until: until, refused, message, silent }) {
  const words = [
    attached > 0 && `${whom} is in the room, with ${attached} ${attached === 1 ? 'session' : 'sessions'}.`,
    until && `${whom} is not connected, and may come in once until ${new Date(until).toLocaleString()}.`,
    refused && `A session did not come in: ${message}`,
    silent.length > 0 && `Servers that have not answered: ${silent.join(', ')}.`,
  ].filter(Boolean);
  return words.join(' ') || `${whom} is a member already.`;
}
