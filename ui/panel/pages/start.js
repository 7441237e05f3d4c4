// What to do first, while the drive is empty and alone.

import { h, icon } from '../dom.js';
import { t } from '../strings.js';
import { isProved } from './words.js';

export function startSteps(status) {
  const mountpoint = status.workspaces[0]?.mountpoint;
  const step = (name, title, text, href) => {
    const inner = [h('span', { class: 'step-icon' }, icon(name)), h('span', {}, h('strong', {}, title), h('span', { class: 'hint' }, text))];
    return h('li', {}, href ? h('a', { href, class: 'step' }, inner) : h('button', { type: 'button', class: 'step', onclick: () => document.getElementById('picker').click() }, inner));
  };
  return h('section', { class: 'start' }, h('h2', {}, t.start.title), h('p', { class: 'lead' }, t.start.lead), h('ol', {},
    step('upload', t.start.file, t.start.fileHint(mountpoint)),
    step('devices', t.start.pair, t.start.pairHint, '#/devices'),
    step('storage', t.start.give, t.start.giveHint(status.contributed), '#/storage'),
    step(isProved() ? 'check' : 'shield', t.start.words, isProved() ? t.settings.wordsProved : t.start.wordsHint, '#/settings')));
}
