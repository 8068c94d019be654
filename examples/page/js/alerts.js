// What tells somebody who looks elsewhere that something is new: a dot on the icon of the tab; and, where they ask for it, a note and a sound.

import { byId, setText } from './dom.js';
import { loadAlerts, saveAlerts } from './storage.js';

const SOUND_HZ = 660;
const SOUND_SECONDS = .18;
const SOUND_GAIN = .06;
/** The icon follows so much later: browsers take their time to draw another one, and whoever looks at the tab can wait. */
const DOT_MS = 200;
const DOT = "%3Ccircle cx='25' cy='7' r='7' fill='%23d92d20'/%3E%3C/svg%3E";

/** Makes the alerts and their button. `show(code)` shows a room, `say(words)` says something in passing. */
export function createAlerts({ show, say }) {
  const button = byId('alerts');
  const icon = document.querySelector('link[rel="icon"]');
  const plain = icon.href;
  /** What was new in each room when it was looked at last, by code. */
  let seen = new Map();
  let isNew = false;
  let isDotted = false;
  let dotting = null;
  let sound = null;

  const isOn = () => loadAlerts() && globalThis.Notification?.permission === 'granted';

  button.hidden = globalThis.Notification === undefined;
  button.addEventListener('click', async () => {
    if (isOn()) saveAlerts(false);
    else {
      // Only a press may wake the sound.
      sound ??= new AudioContext();
      const answer = await Notification.requestPermission();
      saveAlerts(answer === 'granted');
      if (answer !== 'granted') say('The browser does not let this page notify you. It can be allowed in its settings.');
    }
    paint();
  });

  function paint() {
    button.setAttribute('aria-pressed', String(isOn()));
    setText(button.querySelector('span'), isOn() ? 'Notifications are on' : 'Notify me');
  }

  function tell({ code, messages, selves }) {
    const last = messages.findLast(message => !message.redacted && !selves.includes(message.member));
    if (last === undefined) return;
    const note = new Notification(`${last.nick} in ${code}`, { body: last.text.slice(0, 200), tag: `chat ${code}` });
    note.addEventListener('click', () => {
      focus();
      show(code);
      note.close();
    });
    ring();
  }

  function ring() {
    if (sound === null) return;
    const [tone, gain] = [sound.createOscillator(), sound.createGain()];
    tone.frequency.value = SOUND_HZ;
    gain.gain.setValueAtTime(SOUND_GAIN, sound.currentTime);
    gain.gain.exponentialRampToValueAtTime(.001, sound.currentTime + SOUND_SECONDS);
    tone.connect(gain).connect(sound.destination);
    tone.start();
    tone.stop(sound.currentTime + SOUND_SECONDS);
  }

  function dot() {
    dotting = null;
    isDotted = isNew;
    icon.href = isDotted ? plain.replace('%3C/svg%3E', DOT) : plain;
  }

  paint();
  return {
    render(rooms) {
      isNew = rooms.some(({ unread }) => unread > 0);
      if (isNew !== isDotted) dotting ??= setTimeout(dot, DOT_MS);
      const now = new Map(rooms.map(({ code, unread, fresh }) => [code, fresh ? Infinity : unread]));
      if (document.hidden && isOn()) {
        for (const room of rooms) if (room.unread > (seen.get(room.code) ?? Infinity)) tell(room);
      }
      seen = now;
    },
  };
}
