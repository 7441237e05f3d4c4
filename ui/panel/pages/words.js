// The 24 words: shown, written down by a person, and proved by some of them.

import { button, h, replace } from '../dom.js';
import { dialog, toast } from '../parts/feedback.js';
import { t } from '../strings.js';

// So many words are asked for.
const ASKED = 3;
const PROVED = 'recovery phrase proved';

export const isProved = () => localStorage.getItem(PROVED) !== null;

export function revealWords(phrase) {
  const words = phrase.split(/\s+/);
  dialog(t.settings.wordsTitle, (body, close) => {
    const shown = () => replace(body, h('ol', { class: 'words' }, words.map((word) => h('li', {}, word))),
      h('div', { class: 'dialog-actions' }, button(t.settings.wordsProve, { kind: 'primary', onclick: () => ask(body, words, shown, close) })));
    shown();
  });
}

function ask(body, words, back, close) {
  const places = someOf(words.length);
  const fields = places.map((at) => h('input', { id: `word-${at}`, required: true, autocomplete: 'off', autocapitalize: 'none', spellcheck: 'false' }));
  const wrong = h('p', { class: 'wrong', role: 'alert' });
  const submit = (event) => {
    event.preventDefault();
    if (!places.every((at, index) => fields[index].value.trim().toLowerCase() === words[at])) {
      wrong.textContent = t.settings.wordsWrong;
      return;
    }
    // Only that they were proved is kept, and nothing of them.
    localStorage.setItem(PROVED, new Date().toISOString());
    close();
    toast(t.settings.wordsProved);
  };
  replace(body, h('form', { onsubmit: submit }, h('p', {}, t.settings.wordsAsk),
    places.map((at, index) => [h('label', { for: `word-${at}` }, t.settings.wordAt(at + 1)), fields[index]]), wrong,
    h('div', { class: 'dialog-actions' }, button(t.settings.wordsAgain, { onclick: back }), h('button', { class: 'button primary', type: 'submit' }, t.settings.wordsProveGo))));
  fields[0].focus();
}

// Different places, in rising order.
function someOf(count) {
  const places = new Set();
  while (places.size < ASKED) places.add(Math.floor(Math.random() * count));
  return [...places].sort((one, other) => one - other);
}
