// Asks before what cannot be undone, and for a single line of text.

import { byId, el, setWords } from './dom.js';
import { openLayer } from './layers.js';

/**
 * Opens the dialog: `title`, `text`, an optional `input` (`{ label, value, maxlength }`) and `choices`
 * (`{ label, style, run(value) }`); the first choice is what Enter does. Cancelling runs nothing.
 */
export function ask({ title, text = '', input = null, choices }) {
  const dialog = byId('dialog');
  const form = byId('dialog-form');
  const field = byId('dialog-input');
  setWords(byId('dialog-title'), title);
  byId('dialog-text').textContent = text;
  byId('dialog-text').hidden = text === '';
  byId('dialog-label').hidden = input === null;
  byId('dialog-label').firstElementChild.textContent = input?.label ?? '';
  field.value = input?.value ?? '';
  field.maxLength = input?.maxlength ?? 200;

  const close = () => {
    dialog.close();
    closed();
  };
  const choose = choice => {
    close();
    choice.run(field.value);
  };
  const buttons = choices.map((choice, index) => el('button', {
    type: index === 0 ? 'submit' : 'button', class: choice.style, text: choice.label,
    on: index === 0 ? {} : { click: () => choose(choice) },
  }));
  const cancel = el('button', { type: 'button', class: 'quiet', text: 'Cancel', on: { click: close } });
  byId('dialog-tools').replaceChildren(cancel, ...buttons.reverse());
  form.onsubmit = event => {
    event.preventDefault();
    choose(choices[0]);
  };
  dialog.showModal();
  const closed = openLayer(() => dialog.close());
  dialog.addEventListener('close', closed, { once: true });
  (input === null ? cancel : field).focus();
}
