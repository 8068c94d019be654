// Where a message is written; and, once a membership has ended or the room is another, why, and what may be done about it.

import { byId, isComposing, keepFocus, setText, setWords } from './dom.js';
import { composerWords, count, endedWords, theirs, typingWords } from './words.js';

/** What each offer is called. */
const OFFERS = { create: 'Create it again', rejoin: 'Rejoin', retry: 'Try again', stay: 'Stay here' };
/** The end that is another life of the room. */
const RENEWED = { why: 'renewed' };
/** What stands where nothing is written yet. */
const PLACEHOLDER = 'Write a message';
/** From this many characters left on, they are counted down. */
const HINT_FROM = 200;

/** Where one writes on glass: the key for a new line makes one, and the button sends. */
const TOUCH = matchMedia('(hover: none) and (pointer: coarse)');

/** Where the field grows by its style alone: to be asked how high it wants to be, the browser would arrange the page for each key. */
const GROWS = CSS.supports('field-sizing', 'content');

/** What a message may hold: no control characters but newline and tab. */
const sendable = text => text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '');

/** Makes the composer. `actions` are `send`, `edit`, `lastOwn`, `typing`, `setDraft`, `rejoin`, `recreate`, `stay`, `leave`, with a code first. */
export function createComposer(actions) {
  const form = byId('composer');
  const text = byId('text');
  const hint = byId('text-hint');
  const button = form.querySelector('button');
  const end = byId('ended');
  const nick = byId('ended-nick');
  let room = null;
  let charsMax = Infinity;
  let shownEnd = null;
  /** What the end offered has been asked for, and may be refused. */
  let isTaken = false;
  /** What is written is an answer to a message, or stands in place of it: `{ seq, isEdit }`. */
  let about = null;
  let slowTimer = null;
  /** What is written and no edit; the room learns of it at once, and shows nothing of it. */
  let draft = '';

  form.addEventListener('submit', event => {
    event.preventDefault();
    submit();
  });
  keepFocus(form);
  text.addEventListener('keydown', event => {
    if (isComposing(event)) return;
    if (event.key === 'Escape' && about !== null) {
      event.preventDefault();
      return forget();
    }
    if (event.key === 'ArrowUp' && text.value === '' && about === null) {
      const message = actions.lastOwn(room.code);
      if (message === null) return;
      event.preventDefault();
      return edit(message);
    }
    const isNewLine = event.shiftKey || (TOUCH.matches && !event.ctrlKey && !event.metaKey);
    if (event.key !== 'Enter' || isNewLine) return;
    event.preventDefault();
    submit();
  });
  text.addEventListener('input', () => {
    if (!about?.isEdit) {
      draft = text.value;
      actions.setDraft(room.code, draft);
    }
    actions.typing(room.code, text.value.trim() !== '');
    fit();
  });
  byId('about-stop').addEventListener('click', forget);
  keepFocus(byId('about'));
  const showKey = () => text.setAttribute('enterkeyhint', TOUCH.matches ? 'enter' : 'send');
  TOUCH.addEventListener('change', showKey);
  showKey();
  text.addEventListener('blur', () => room && actions.typing(room.code, false));
  end.addEventListener('submit', event => {
    event.preventDefault();
    isTaken = true;
    if (shownEnd.offer === 'create') actions.recreate(room.code);
    else if (shownEnd.offer === 'stay') actions.stay(room.code);
    else actions.rejoin(room.code, nick.value.trim() || room.nick);
  });
  byId('ended-close').addEventListener('click', () => actions.leave(room.code));

  function submit() {
    const written = sendable(text.value);
    if (written.trim() === '' || [...written].length > charsMax || text.disabled) return;
    const { seq, isEdit } = about ?? {};
    forget();
    if (!isEdit) draft = '';
    text.value = draft;
    fit();
    if (isEdit) {
      actions.typing(room.code, false);
      actions.edit(room.code, seq, written);
    }
    else actions.send(room.code, written, seq);
  }

  /** Answers a message from now on. */
  function reply({ seq, nick: by, text: said }) {
    forget();
    about = { seq, isEdit: false };
    showAbout(['Answer to ', theirs(by), ': ', theirs(said.slice(0, 80))]);
    text.focus();
  }

  /** Writes a message of one's own anew. */
  function edit({ seq, text: said }) {
    forget();
    about = { seq, isEdit: true };
    showAbout('Change your message');
    text.value = said;
    fit();
    text.focus();
    text.setSelectionRange(said.length, said.length);
  }

  function forget() {
    if (about?.isEdit) text.value = draft;
    about = null;
    byId('about').hidden = true;
    fit();
  }

  function showAbout(words) {
    setWords(byId('about-words'), words);
    byId('about').hidden = false;
  }

  /** In slow mode the time is counted down until one may write again; what is written before waits. */
  function countDown() {
    clearTimeout(slowTimer);
    const seconds = Math.ceil(((room?.slowUntil ?? 0) - Date.now()) / 1_000);
    setText(byId('slow'), seconds > 0 ? `You can write again in ${count(seconds, 'second')}` : '');
    if (seconds > 0) slowTimer = setTimeout(countDown, 1_000);
  }

  /** The field grows with its text, up to what the style allows. */
  function fit() {
    if (!GROWS) {
      text.style.height = 'auto';
      text.style.height = `${text.scrollHeight}px`;
    }
    const left = charsMax - [...text.value].length;
    setText(hint, left < 0 ? `${-left} too many` : left <= HINT_FROM ? `${left} left` : '');
    hint.classList.toggle('too-long', left < 0);
    button.disabled = text.value.trim() === '' || left < 0 || text.disabled;
  }

  function renderEnd(reason) {
    if (reason === null) return;
    shownEnd = endedWords(reason);
    setWords(byId('ended-title'), shownEnd.title);
    setWords(byId('ended-text'), shownEnd.text ?? '');
    nick.hidden = shownEnd.offer !== 'rejoin';
    setText(byId('ended-offer'), OFFERS[shownEnd.offer]);
    setText(byId('ended-close'), shownEnd.offer === 'stay' ? 'Leave' : 'Close');
  }

  /** Not where a keyboard would cover half the page unasked. */
  function focus() {
    if (!form.hidden && matchMedia('(hover: hover)').matches) text.focus();
    return document.activeElement === text;
  }

  return {
    render(shown, limits) {
      const other = room?.code !== shown.code;
      const reason = endOf(shown);
      const changed = other || endOf(room) !== reason;
      const wentOn = !other && reason === null && end.contains(document.activeElement);
      const refused = !other && reason !== null && isTaken && form.contains(document.activeElement);
      room = shown;
      if (other || document.activeElement !== text) draft = room.draft;
      charsMax = limits.text_chars;
      if (other) forget();
      if (other || (!about?.isEdit && draft !== text.value)) text.value = draft;
      countDown();
      form.hidden = reason !== null;
      const held = composerWords(room);
      const muted = held?.isMuted ?? false;
      const placeholder = held?.words ?? PLACEHOLDER;
      if (text.placeholder !== placeholder) text.placeholder = placeholder;
      const turned = text.disabled !== muted;
      text.disabled = muted;
      if (other || turned) fit();
      end.hidden = reason === null;
      if (changed) {
        nick.value = room.nick;
        renderEnd(reason);
      }
      if (wentOn) focus();
      if (refused) byId('ended-offer').focus();
      if (other || reason !== null || room.live) isTaken = false;
      const others = room.typing.filter(member => member !== room.you?.member);
      const nicks = others.map(member => room.members.find(known => known.member === member)?.nick).filter(Boolean);
      setWords(byId('typing'), room.ended ? '' : typingWords(nicks));
      byId('typing').classList.toggle('on', nicks.length > 0 && !room.ended);
    },
    reply,
    edit,
    focus,
  };
}

/** Why nothing may be written: the membership has ended, or it has not been said that one stays. */
const endOf = room => room.ended ?? (room.renewed ? RENEWED : null);
