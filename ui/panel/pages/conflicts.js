// Files that were changed in two places at once: the versions side by side, and which one opens from now on.

import { post } from '../api.js';
import { button, h } from '../dom.js';
import { moment, size } from '../format.js';
import { complain, toast } from '../parts/feedback.js';
import { t } from '../strings.js';
import { nameOf } from './details.js';
import { stageOf } from './preview.js';

export function conflictList(conflicts, changed) {
  return h('section', { class: 'panel' }, h('h2', {}, t.health.conflictsTitle), h('p', { class: 'hint' }, t.health.conflictsLead),
    conflicts.map((conflict) => sideBySide(conflict, changed)));
}

function sideBySide(conflict, changed) {
  const name = conflict.path.slice(conflict.path.lastIndexOf('/') + 1);
  const path = conflict.path.split('/').map(encodeURIComponent).join('/');
  return h('div', { class: 'conflict' }, h('h3', {}, conflict.path),
    h('div', { class: 'beside' }, conflict.versions.map((version) => side({ name, path, version }, changed))));
}

function side({ name, path, version }, changed) {
  const keep = async () => {
    try {
      await post(`/conflicts/resolve?path=${path}`, { version: version.id });
      toast(t.details.restored);
      changed();
    } catch (error) {
      complain(error);
    }
  };
  return h('section', { class: 'side-version' },
    h('p', {}, h('strong', {}, moment(version.time)), ' ', version.current ? h('span', { class: 'tag' }, t.details.current) : null),
    h('p', { class: 'hint' }, `${size(version.size)}, ${t.details.by(nameOf(version.device))}`),
    stageOf({ name, path, size: version.size, version: version.id }),
    h('div', { class: 'actions' }, button(version.current ? t.details.keepCurrent : t.details.keep, { onclick: keep })));
}
