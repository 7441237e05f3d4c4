// Who holds what: the room that each computer gives, its part of all that is stored, and which partitions of all pieces are its own.

import { bus, get } from '../api.js';
import { h, replace } from '../dom.js';
import { number, percent, size } from '../format.js';
import { load } from '../parts/feedback.js';
import { t } from '../strings.js';

// Not with every step of a transfer.
const REFRESH_MS = 2000;

export function spread(signal) {
  const place = h('section', { class: 'panel', id: 'spread' });
  const request = () => get('/storage/distribution', signal);
  let soon = null;
  load(place, request, (told) => replace(place, drawn(told)));
  bus.addEventListener('status', () => {
    soon ??= setTimeout(() => { soon = null; request().then((told) => replace(place, drawn(told))).catch(() => {}); }, REFRESH_MS);
  }, { signal });
  signal.addEventListener('abort', () => clearTimeout(soon));
  return place;
}

function drawn(told) {
  const most = Math.max(1, ...told.devices.map((device) => device.contributed));
  const all = told.devices.reduce((sum, device) => sum + device.used, 0);
  const chunks = told.chunks_here.reduce((sum, count) => sum + count, 0);
  return [h('h2', {}, t.storage.byDevice), h('p', { class: 'hint' }, t.storage.byDeviceLead(told.partitions, told.copies, told.group_partitions)),
    h('ul', { class: 'shares' }, told.devices.map((device) => share(device, told, most, all))),
    h('h3', {}, t.storage.chunksHere), h('p', { class: 'hint' }, t.storage.chunksHereLead(chunks)), bars(told.chunks_here, told.group_partitions)];
}

function share(device, told, most, all) {
  const bar = h('div', { class: 'meter', 'aria-hidden': 'true' }, h('div', {}));
  bar.style.width = `${Math.max(4, (100 * device.contributed) / most)}%`;
  bar.firstChild.style.width = `${device.contributed > 0 ? Math.min(100, (100 * device.used) / device.contributed) : 0}%`;
  return h('li', {}, h('strong', {}, device.name, device.this ? h('span', { class: 'tag' }, t.devices.this) : null),
    h('span', { class: 'hint' }, [device.contributed > 0 ? t.devices.uses(size(device.used), size(device.contributed)) : t.devices.givesNothing, all > 0 && t.storage.part(percent(device.used, all))].filter(Boolean).join(' · ')),
    bar, strip(device, told));
}

// One square for each group of partitions, as full as the computer owns of them.
function strip(device, { partitions, group_partitions: group }) {
  const words = t.storage.owns(device.owned, partitions);
  const squares = device.owned_by_group.map((owned, at) => {
    const square = h('i', { title: t.storage.ownsOf(owned, at * group, (at + 1) * group - 1) });
    square.style.setProperty('--part', owned / group);
    return square;
  });
  return h('div', { class: 'owned' }, squares.length > 0 ? h('div', { class: 'strip', role: 'img', 'aria-label': words }, squares) : null, h('span', { class: 'hint' }, words));
}

function bars(counts, group) {
  const most = Math.max(1, ...counts);
  return h('div', { class: 'strip bars', role: 'img', 'aria-label': t.storage.chunksEach(Math.min(...counts), Math.max(...counts)) }, counts.map((count, at) => {
    const bar = h('i', { title: t.storage.chunksOf(count, at * group, (at + 1) * group - 1) });
    bar.style.setProperty('--part', count / most);
    return bar;
  }));
}
