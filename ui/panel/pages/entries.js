// How an entry of a folder looks: as a row, as a tile; its icon and how safe it is.

import { button, h, icon } from '../dom.js';
import { ago, moment, size } from '../format.js';
import { kindOf } from '../kinds.js';
import { figure, hintFor } from '../parts/copies.js';
import { hasThumbnail, thumbnail } from '../parts/thumbnail.js';
import { t } from '../strings.js';
import { askRename, remove } from './changes.js';

export function entryRow(page, entry) {
  const place = entry.folder === undefined ? null : h('span', { class: 'place' }, !entry.folder || entry.folder === '/' ? t.drive.root : entry.folder);
  const name = h('button', { type: 'button', class: 'entry-name', 'data-part': 'name', onclick: () => page.enter(entry) },
    icon(iconOf(entry)), h('span', { class: 'entry-text' }, h('span', {}, shownName(entry)), place));
  const more = button(t.drive.actions(entry.name), { icon: 'more', kind: 'bare', 'data-part': 'more', 'aria-haspopup': 'menu', onclick: (event) => page.actions(entry, event.currentTarget) });
  const pick = h('input', { type: 'checkbox', 'aria-label': t.drive.select(entry.name), 'data-part': 'pick', checked: page.selected.has(entry.path), onchange: () => page.pick(entry) });
  return h('div', { class: `row ${entry.partial ? 'partial' : ''}`, role: 'row', onkeydown: (event) => page.key(event, entry) },
    h('div', { class: 'cell pick', role: 'cell' }, pick),
    h('div', { class: 'cell name', role: 'cell' }, name),
    h('div', { class: 'cell state', role: 'cell' }, badge(entry)),
    h('div', { class: 'cell size', role: 'cell' }, entry.kind === 'folder' ? t.drive.entries(entry.size) : size(entry.size)),
    h('div', { class: 'cell modified', role: 'cell', title: moment(entry.modified) }, ago(entry.modified) ?? t.justNow),
    h('div', { class: 'cell act', role: 'cell' }, more));
}

export function entryTile(page, entry) {
  const thumb = hasThumbnail(entry) ? thumbnail(entry, icon(iconOf(entry))) : icon(iconOf(entry));
  return h('button', { type: 'button', class: 'tile', 'data-part': entry.path, onclick: () => page.enter(entry), oncontextmenu: (event) => { event.preventDefault(); page.actions(entry, event.currentTarget); },
    onkeydown: (event) => { if (event.key === 'F2') askRename(page, entry); else if (event.key === 'Delete') remove(page, [entry]); } },
  h('span', { class: 'thumb' }, thumb), h('span', { class: 'tile-name' }, shownName(entry)), badge(entry));
}

export function badge(entry) {
  if (entry.partial) return h('span', { class: 'badge partial', title: t.drive.partialHint }, icon('upload'), t.drive.partial);
  if (!entry.state) return null;
  const name = { safe: 'check', on_its_way: 'clock', only_here: 'only', conflict: 'split' }[entry.state];
  return h('span', { class: `badge ${entry.state}`, title: hintFor(entry) }, icon(name), h('span', {}, t.states[entry.state]), entry.state === 'conflict' ? null : figure(entry));
}

function iconOf(entry) {
  if (entry.kind === 'folder') return 'folder';
  if (entry.kind === 'symlink') return 'link';
  return { image: 'image', video: 'video', audio: 'audio', text: 'text', pdf: 'text' }[kindOf(entry.name)] ?? 'file';
}

// `.NAME.TAG.partial` is shown as the name it is for.
export const shownName = (entry) => (entry.partial ? entry.name.slice(1).split('.').slice(0, -2).join('.') : entry.name);
