// What to do first, while the drive is empty and alone.

import { get } from '../api.js';
import { h, icon } from '../dom.js';
import { complain } from '../parts/feedback.js';
import { t } from '../strings.js';
import { askName, askPassphrase } from './keys.js';
import { join, pair } from './pairing.js';
import { isProved } from './words.js';

export function startSteps(status) {
  const mountpoint = status.workspaces[0]?.mountpoint;
  const step = (name, title, text, act) => {
    const inner = [h('span', { class: 'step-icon' }, icon(name)), h('span', {}, h('strong', {}, title), h('span', { class: 'hint' }, text))];
    return h('li', {}, typeof act === 'string' ? h('a', { href: act, class: 'step' }, inner) : h('button', { type: 'button', class: 'step', onclick: act }, inner));
  };
  const seal = () => get('/keys').then(({ locked }) => askPassphrase(locked, () => {})).catch(complain);
  return h('section', { class: 'start' }, h('h2', {}, t.start.title), h('p', { class: 'lead' }, t.start.lead),
    h('p', { class: 'second' }, icon('devices'), h('span', {}, t.start.second, ' ', h('button', { type: 'button', class: 'link', onclick: join }, t.start.join))), h('ol', {},
    step('upload', t.start.file, t.start.fileHint(mountpoint), () => document.getElementById('picker').click()),
    step('devices', t.start.pair, t.start.pairHint, pair),
    step('text', t.start.name(status.name), t.start.nameHint, () => askName(status)),
    step('storage', t.start.give, t.start.giveHint(status.contributed), '#/storage'),
    step('settings', t.start.passphrase, t.start.passphraseHint, seal),
    step(isProved() ? 'check' : 'shield', t.start.words, isProved() ? t.settings.wordsProved : t.start.wordsHint, '#/settings')));
}
