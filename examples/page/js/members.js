// The members of a room: oneself first, the owner marked, those without a connection dimmed and last.

import { ask } from './dialog.js';
import { byId, el, icon, setText } from './dom.js';
import { isAbove, moderates } from './room.js';
import { count, theirs } from './words.js';

/** Makes the list. `actions` are `act(frame)`, `more(code)`, `settings(room)`, and `has(feature)` of the server. */
export function createMembers({ act, more, settings, has }) {
  let room = null;
  byId('open-settings').addEventListener('click', () => settings(room));
  byId('more-members').addEventListener('click', () => more(room.code));

  function memberRow(member) {
    const own = member.member === room.you?.member;
    const mayKick = room.live && !own && isAbove(room, member.member);
    const look = `member c${member.color % 16}${member.online ? '' : ' offline'}`;
    const remove = `Remove ${member.nick}`;
    return el('li', { class: look, 'data-member': member.member },
      el('span', { class: 'avatar', 'aria-hidden': 'true', text: [...member.nick][0]?.toUpperCase() ?? '?' }),
      el('bdi', { class: 'name', text: member.nick }),
      own ? el('span', { class: 'note', text: 'you' }) : null,
      member.role === 'owner' ? ownerMark() : null,
      member.role === 'moderator' ? el('span', { class: 'note', title: 'Moderator', text: 'mod' }) : null,
      member.online ? null : el('span', { class: 'note', text: 'offline' }),
      own && room.live && has('me') ? el('button', {
        class: 'icon-button own', type: 'button', 'aria-label': 'Change your name', title: 'Change your name',
        on: { click: () => askName(member) },
      }, icon('pencil')) : null,
      mayKick && room.you.role === 'owner' && has('role') ? el('button', {
        class: 'icon-button role', type: 'button', 'aria-label': `The role of ${member.nick}`, title: `The role of ${member.nick}`,
        on: { click: () => askRole(member) },
      }, icon('crown')) : null,
      mayKick ? el('button', {
        class: 'icon-button kick', type: 'button', 'aria-label': remove, title: remove,
        on: { click: () => askKick(member) },
      }, icon('out')) : null);
  }

  function askName({ nick }) {
    const { code } = room;
    ask({
      title: 'Your name in this room',
      input: { label: 'How others see you', value: nick, maxlength: 64 },
      choices: [{ label: 'Change', style: 'primary', run: wanted => wanted.trim() !== '' && act({ type: 'me', room: code, nick: wanted.trim() }) }],
    });
  }

  function askRole({ member, nick, role }) {
    const { code } = room;
    const make = wanted => act({ type: 'role', room: code, member, role: wanted });
    const other = role === 'moderator'
      ? { label: 'No moderator any more', style: 'primary', run: () => make('member') }
      : { label: 'Make a moderator', style: 'primary', run: () => make('moderator') };
    ask({
      title: ['The role of ', theirs(nick)],
      text: 'Moderators put members out, take back what they said, and change the settings. To hand the room over makes you a moderator.',
      choices: [other, { label: 'Hand the room over', style: 'secondary', run: () => make('owner') }],
    });
  }

  function askKick({ member, nick }) {
    const { code } = room;
    ask({
      title: ['Remove ', theirs(nick), ' from the room?'],
      text: 'They may come back with the code, unless you keep them out.',
      choices: [
        { label: 'Remove', style: 'danger', run: () => act({ type: 'kick', room: code, member }) },
        { label: 'Keep out', style: 'secondary', run: () => act({ type: 'ban', room: code, member }) },
      ],
    });
  }

  return {
    render(next) {
      const before = room;
      room = next;
      const total = room.membersTotal || room.members.length;
      const online = room.presence ? `, ${room.presence.online} online` : '';
      setText(byId('members-title'), `${count(total, 'member')}${online}`);
      byId('more-members').hidden = room.members.length >= total || room.members.length === 0;
      byId('open-settings').hidden = !moderates(room) || !room.live || !has('settings');
      const same = before && before.members === room.members && before.you === room.you && before.live === room.live;
      if (same) return;
      const focused = document.activeElement?.closest?.('.member')?.dataset.member;
      byId('member-list').replaceChildren(...sorted(room).map(memberRow));
      if (focused) byId('member-list').querySelector(`[data-member="${Number(focused)}"] :is(.kick, .own)`)?.focus();
    },
  };
}

const ownerMark = () =>
  el('span', { class: 'owner', role: 'img', 'aria-label': 'owner', title: 'Owner' }, icon('crown'));

function sorted({ members, you }) {
  const rank = member => member.member === you?.member ? 0 : member.online ? 1 : 2;
  return [...members].sort((a, b) => rank(a) - rank(b) || a.nick.localeCompare(b.nick));
}
