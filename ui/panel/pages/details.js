// A file's versions, and where its content lies.

import { get, post, state } from '../api.js';
import { button, h } from '../dom.js';
import { moment, size } from '../format.js';
import { complain, dialog, load, toast } from '../parts/feedback.js';
import { inParts } from '../parts/more.js';
import { t } from '../strings.js';
import { showCompare } from './compare.js';
import { showPreview } from './preview.js';

const PART_VERSIONS = 50;

export function showDetails(entry, changed) {
  dialog(entry.name, (body) => {
    const versions = h('div');
    const places = h('div');
    const again = () => {
      inParts(versions, `/history?path=${entry.path}`, { limit: PART_VERSIONS }, (list) => versionList(entry, list, () => { again(); changed(); }));
      load(places, () => get(`/where?path=${entry.path}`), (where) => places.append(placeList(where)));
    };
    body.append(h('h3', {}, t.details.versions), versions, h('h3', {}, t.details.where), places);
    again();
  });
}

export function versionList(entry, list, changed) {
  const current = list.find((version) => version.current);
  return h('ul', { class: 'versions' }, list.map((version) => {
    const tags = [version.current && t.details.current, version.conflict && t.details.conflict, version.deleted && t.details.deleted].filter(Boolean);
    const act = async () => {
      try {
        if (version.conflict) await post(`/conflicts/resolve?path=${entry.path}`, { version: version.id });
        else await post(`/restore?path=${entry.path}`, { version: version.id });
        toast(t.details.restored);
        changed();
      } catch (error) {
        complain(error);
      }
    };
    return h('li', {}, h('div', {}, h('strong', {}, moment(version.time)), ' ', tags.map((tag) => h('span', { class: 'tag' }, tag)),
      h('div', { class: 'hint' }, `${size(version.size)}, ${t.details.by(state.status?.device === version.device ? t.details.hereBy : nameOf(version.device))}`)),
    button(t.details.view, { kind: 'quiet', onclick: () => view(entry, version) }),
    current && !version.current ? button(t.details.compare, { kind: 'quiet', onclick: () => showCompare(entry, version, current) }) : null,
    version.current ? null : button(version.conflict ? t.details.keep : t.details.restore, { onclick: act }));
  }));
}

function view(entry, version) {
  const one = { name: `${entry.name}, ${moment(version.time)}`, path: entry.path, size: version.size, modified: version.time, version: version.id, called: entry.name };
  showPreview(one, [one]);
}

function placeList(where) {
  if (where.inline) return h('p', {}, t.details.inline);
  return h('ul', { class: 'versions' }, where.hosts.map((host) =>
    h('li', {}, h('strong', {}, nameOf(host.device)), h('span', { class: 'hint' }, t.details.holds(host.chunks, where.chunks)))));
}

// A device's name, as far as it is known; of one that was removed the beginning of its id.
export function nameOf(device) {
  const status = state.status;
  if (status?.device === device) return t.details.here;
  const peer = status?.peers.find((one) => one.device === device);
  return peer?.name ?? device.slice(0, 8);
}
