// How the page is connected, and the choice of another transport; small, because hardly anybody needs it.

import { byId, el, icon, setText } from './dom.js';
import { popoverLayer } from './layers.js';
import { onFallbackWords, transportWords } from './words.js';

/** Makes the menu behind the buttons marked `data-transport`. `choose(name)` hears what was chosen. */
export function createTransportMenu({ choose }) {
  const menu = byId('transports');
  popoverLayer(menu);
  const buttons = document.querySelectorAll('[data-transport]');
  const items = new Map(Object.entries(transportWords).map(([name, words]) => [name, itemOf(name, words)]));
  byId('transport-list').append(...[...items.values()].map(item => el('li', {}, item)));

  function itemOf(name, words) {
    const chosen = () => {
      menu.hidePopover();
      choose(name);
    };
    return el('button', { class: 'transport', type: 'button', 'aria-pressed': 'false', on: { click: chosen } },
      el('span', { class: 'name', text: words.name }), icon('check'), el('span', { class: 'what', text: words.what }));
  }

  return {
    render({ choice, via, isFallback }) {
      for (const [name, item] of items) {
        item.setAttribute('aria-pressed', String(name === choice));
        // Where the focus goes when the menu opens.
        item.autofocus = name === choice;
      }
      const { name } = transportWords[via];
      for (const button of buttons) {
        setText(button.querySelector('.name'), name);
        button.setAttribute('aria-label', `Transport: ${name}`);
        button.classList.toggle('fallback', isFallback);
        if (isFallback) button.setAttribute('aria-description', onFallbackWords);
        else button.removeAttribute('aria-description');
      }
      setText(byId('transports-note'), isFallback ? onFallbackWords : '');
      byId('transports-note').hidden = !isFallback;
    },
  };
}
