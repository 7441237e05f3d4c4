// Who this is: the name of this computer, the passphrase, the 24 words.

import { get, post, tell } from '../api.js';
import { button, h } from '../dom.js';
import { askText, complain, dialog, load, toast } from '../parts/feedback.js';
import { t } from '../strings.js';
import { revealWords } from './words.js';

// Every computer of the drive shows it from now on.
export function askName(status) {
  askText(t.settings.renameThis, { label: t.settings.name, value: status.name, action: t.save, done: async (name) => {
    await post('/devices/rename', { device: status.device, name });
    toast(t.saved);
    tell('renamed');
  } });
}

export function showKeys(place) {
  load(place, () => get('/keys'), ({ locked }) => place.append(h('h2', {}, t.settings.passphrase), h('p', {}, locked ? t.settings.passphraseOn : t.settings.passphraseOff),
    h('div', { class: 'actions' }, button(locked ? t.settings.passphraseChange : t.settings.passphraseSet, { onclick: () => askPassphrase(locked, () => showKeys(place)) }),
      locked ? button(t.settings.passphraseRemove, { kind: 'quiet', onclick: () => removePassphrase(place) }) : null)));
}

function secret(id, label, completion) {
  const input = h('input', { type: 'password', id, required: true, autocomplete: completion });
  return [h('label', { for: id }, label), input];
}

// Asks for secrets; `act` gets them in order.
function askSecrets(title, fields, action, act, extra = []) {
  dialog(title, (body, close) => {
    const wrong = h('p', { class: 'wrong', role: 'alert' });
    const submit = async (event) => {
      event.preventDefault();
      try {
        await act(fields.map(([, input]) => input.value));
        close();
      } catch (error) {
        wrong.textContent = error.message;
      }
    };
    body.append(h('form', { onsubmit: submit }, fields, extra, wrong, h('div', { class: 'dialog-actions' }, h('button', { class: 'button primary', type: 'submit' }, action))));
  });
}

// `changed` is called when there is another one.
export function askPassphrase(locked, changed) {
  const fields = [locked && secret('old', t.settings.passphraseOld, 'current-password'), secret('new', t.settings.passphraseNew, 'new-password'), secret('again', t.settings.passphraseAgain, 'new-password')].filter(Boolean);
  const meter = h('meter', { min: '0', max: '4', value: 0, 'aria-label': t.settings.passphraseNew });
  const told = h('span', { class: 'hint', 'aria-live': 'polite' });
  const input = fields.at(-2)[1];
  input.addEventListener('input', () => {
    meter.value = strength(input.value);
    told.textContent = input.value ? t.settings.strength[meter.value] : '';
  });
  askSecrets(t.settings.passphrase, fields, t.save, async (values) => {
    const [again, fresh, old] = values.reverse();
    if (again !== fresh) throw new Error(t.settings.passphraseDiffer);
    await post('/keys/passphrase', { old: old ?? null, new: fresh });
    toast(t.settings.passphraseChanged);
    changed();
  }, [h('div', { class: 'strength' }, meter, told)]);
}

function removePassphrase(place) {
  askSecrets(t.settings.passphraseRemove, [secret('old', t.settings.passphraseOld, 'current-password')], t.settings.passphraseRemove, async ([old]) => {
    await post('/keys/passphrase', { old, new: null });
    toast(t.settings.passphraseChanged);
    showKeys(place);
  });
}

// A rough estimate, 0 to 4: bits that a guesser of its own alphabet would need, words counted as words.
function strength(text) {
  const kinds = [/[a-z]/, /[A-Z]/, /[0-9]/, /[^a-zA-Z0-9]/].filter((kind) => kind.test(text)).length;
  const different = new Set(text).size;
  const bits = Math.min(text.length, different * 2) * (2 + kinds);
  return [20, 40, 60, 80].filter((step) => bits >= step).length;
}

export function words() {
  const show = async () => {
    const { locked } = await get('/keys');
    if (!locked) return reveal(null);
    askSecrets(t.settings.words, [secret('old', t.settings.passphraseOld, 'current-password')], t.settings.wordsShow, ([old]) => reveal(old));
  };
  return h('section', { class: 'panel' }, h('h2', {}, t.settings.words), h('p', {}, t.settings.wordsLead), h('div', { class: 'actions' }, button(t.settings.wordsShow, { onclick: () => show().catch(complain) })));
}

async function reveal(old) {
  const { phrase } = await post('/keys/recovery', { passphrase: old });
  revealWords(phrase);
}
