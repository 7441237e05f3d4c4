// The computers of the drive: who they are, how they are reached.

import { bus, getAll, post, state } from '../api.js';
import { button, h, icon, replace } from '../dom.js';
import { size } from '../format.js';
import { askText, confirm, load, menu, notice, toast } from '../parts/feedback.js';
import { speedOf } from '../parts/speeds.js';
import { t } from '../strings.js';
import { join, pair } from './pairing.js';
import { declareFound, declareLost, showIfLost, showLeave } from './parting.js';
import { topology } from './topology.js';

// Speeds that are shown are looked at again, for a link that went quiet tells nothing.
const SPEEDS_MS = 2000;

export function showDevices(main) {
  const stop = new AbortController();
  const place = h('div');
  replace(main,
    h('header', { class: 'page-head' }, h('div', {}, h('h1', {}, t.pages.devices), h('p', { class: 'lead' }, t.devices.lead)),
      h('div', { class: 'tools' }, button(t.devices.join, { onclick: join }), button(t.devices.pair, { icon: 'plus', kind: 'primary', onclick: pair }))),
    place);
  // What others know of this one is a little older than what it knows itself.
  const fresh = (device) => (device.this && state.status ? { ...device, used: state.status.used } : device);
  const draw = (devices) => replace(place, cards(devices.map(fresh), () => refresh()));
  // Answers may overtake each other: an older one does not replace what a newer one said.
  let asked = 0;
  let newest = { number: 0 };
  const request = async () => {
    const number = ++asked;
    const devices = await getAll('/devices', stop.signal);
    if (number > newest.number) newest = { number, devices };
    return newest.devices;
  };
  const refresh = () => request().then(draw).catch(() => {});
  load(place, request, draw);
  bus.addEventListener('status', refresh, { signal: stop.signal });
  // The picture is drawn for the screen's width.
  matchMedia('(max-width: 719px)').addEventListener('change', refresh, { signal: stop.signal });
  const quiet = setInterval(() => { if (place.querySelector('.link-speed:not(:empty)')) refresh(); }, SPEEDS_MS);
  return () => { stop.abort(); clearInterval(quiet); };
}

function cards(devices, changed) {
  const peers = new Map((state.status?.peers ?? []).map((peer) => [peer.device, peer]));
  return [state.status ? topology(state.status) : null, h('ul', { class: 'cards' }, devices.map((device) => card(device, peers.get(device.device), devices.length === 1, changed))),
    devices.length === 1 ? notice('devices', t.devices.alone, t.devices.aloneHint) : null];
}

// Alone there is nobody to leave or to lose something with.
function card(device, peer, alone, changed) {
  const share = device.contributed > 0 ? Math.min(1, device.used / device.contributed) : 0;
  const bar = h('div', { class: 'meter', 'aria-hidden': 'true' }, h('div', {}));
  bar.firstChild.style.width = `${share * 100}%`;
  const rename = () => askText(t.devices.rename, { label: t.devices.renameTo, value: device.name, action: t.devices.rename, done: async (name) => {
    await post('/devices/rename', { device: device.device, name });
    changed();
  } });
  const revoke = () => confirm(t.devices.revokeTitle(device.name), t.devices.revokeText, t.devices.revoke, async () => {
    await post('/devices/revoke', { device: device.device });
    toast(t.devices.revoked(device.name));
    changed();
  });
  const more = (event) => menu(event.currentTarget, device.this
    ? [['text', t.devices.rename, rename], !alone && ['shield', t.parting.ifLost, () => showIfLost(device)], !alone && ['close', t.parting.leave, showLeave, 'danger']]
    : [['text', t.devices.rename, rename], ['shield', t.parting.ifLost, () => showIfLost(device)],
      device.state === 'lost' ? ['check', t.parting.found, () => declareFound(device, changed)] : device.state === 'online' ? null : ['alert', t.parting.lost, () => declareLost(device, changed)],
      ['close', t.devices.revoke, revoke, 'danger']]);
  return h('li', { class: 'card' },
    h('div', { class: 'card-head' }, icon('devices'), h('h2', {}, device.name), button(t.devices.more(device.name), { icon: 'more', kind: 'bare', 'aria-haspopup': 'menu', onclick: more })),
    h('p', { class: `presence ${device.state}` }, h('span', { class: 'dot', 'aria-hidden': 'true' }), t.devices.states[device.state] ?? device.state, device.role ? ` · ${t.devices.roles[device.role] ?? device.role}` : '', device.site ? ` · ${t.devices.site(device.site)}` : '', device.this ? h('span', { class: 'tag' }, t.devices.this) : null, device.leaving ? h('span', { class: 'tag' }, t.devices.leaving) : null),
    peer ? h('div', { class: 'hint' }, way(peer).map((line) => h('p', {}, line))) : null,
    bar, h('p', { class: 'hint' }, device.contributed > 0 ? t.devices.uses(size(device.used), size(device.contributed)) : t.devices.givesNothing, peer?.full ? ` · ${t.devices.full}` : null));
}

function way(peer) {
  const behind = [peer.outstanding_chunks > 0 && t.devices.chunks(peer.outstanding_chunks), peer.behind > 0 && t.devices.behind(peer.behind)].filter(Boolean);
  const told = (...parts) => parts.filter(Boolean).join(' · ');
  // How it is reached, and how it goes.
  return [told(t.devices.paths[peer.path] ?? peer.path ?? peer.why, peer.path && peer.why),
    told(peer.rtt_ms !== null && t.devices.rtt(peer.rtt_ms), speedOf(peer.device), ...(behind.length > 0 ? behind : [peer.path && t.devices.upToDate]))].filter(Boolean);
}
