// The computers of the drive: who they are, how they are reached, pairing and parting.

import { bus, get, post, state } from '../api.js';
import { button, h, icon, replace } from '../dom.js';
import { moment, size } from '../format.js';
import { askText, complain, confirm, copyText, dialog, load, notice, toast } from '../parts/feedback.js';
import { t } from '../strings.js';
import { topology } from './topology.js';

const LOOK_MS = 1000;

export function showDevices(main) {
  const stop = new AbortController();
  const place = h('div');
  replace(main,
    h('header', { class: 'page-head' }, h('div', {}, h('h1', {}, t.pages.devices), h('p', { class: 'lead' }, t.devices.lead)),
      h('div', { class: 'tools' }, button(t.devices.join, { onclick: join }), button(t.devices.pair, { icon: 'plus', kind: 'primary', onclick: pair }))),
    place);
  const draw = (devices) => replace(place, cards(devices, () => refresh()));
  const refresh = () => get('/devices', stop.signal).then(draw).catch(() => {});
  load(place, () => get('/devices', stop.signal), draw);
  bus.addEventListener('status', refresh, { signal: stop.signal });
  return () => stop.abort();
}

function cards(devices, changed) {
  const peers = new Map((state.status?.peers ?? []).map((peer) => [peer.device, peer]));
  return [state.status ? topology(state.status) : null, h('ul', { class: 'cards' }, devices.map((device) => card(device, peers.get(device.device), changed))),
    devices.length === 1 ? notice('devices', t.devices.alone, t.devices.aloneHint) : null];
}

function card(device, peer, changed) {
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
  return h('li', { class: 'card' },
    h('div', { class: 'card-head' }, icon('devices'), h('h2', {}, device.name), device.this ? h('span', { class: 'tag' }, t.devices.this) : null),
    h('p', { class: `presence ${device.state}` }, h('span', { class: 'dot', 'aria-hidden': 'true' }), t.devices.states[device.state] ?? device.state, device.role ? ` · ${t.devices.roles[device.role] ?? device.role}` : ''),
    peer ? h('p', { class: 'hint' }, way(peer)) : null,
    bar, h('p', { class: 'hint' }, `${t.devices.gives} ${size(device.contributed)}, ${size(device.used)} ${t.devices.used}`),
    h('div', { class: 'card-actions' }, button(t.devices.rename, { kind: 'quiet', onclick: rename }), device.this ? null : button(t.devices.revoke, { kind: 'quiet danger', onclick: revoke })));
}

function way(peer) {
  const behind = [peer.outstanding_chunks > 0 && t.devices.chunks(peer.outstanding_chunks), peer.behind > 0 && t.devices.behind(peer.behind)].filter(Boolean);
  const parts = [peer.path ?? peer.why, peer.path && peer.why, peer.rtt_ms !== null && t.devices.rtt(peer.rtt_ms), ...(behind.length > 0 ? behind : [peer.path && t.devices.upToDate])];
  return parts.filter(Boolean).join(' · ');
}

export function pair() {
  dialog(t.pair.title, (body) => {
    const roles = h('select', { id: 'role' }, Object.entries(t.pair.roles).map(([role, text]) => h('option', { value: role }, text)));
    const roleLine = h('div', { hidden: true }, h('label', { for: 'role' }, t.pair.role), roles);
    const choice = (group, value, text, checked) => h('label', { class: 'choice' }, h('input', { type: 'radio', name: group, value, checked, onchange: () => { roleLine.hidden = form.who.value !== 'person'; } }), text);
    const submit = async (event) => {
      event.preventDefault();
      const who = form.who.value;
      try {
        const invitation = await post('/invite', { role: who === 'own' ? null : who === 'host' ? 'host' : roles.value, ticket: form.distance.value === 'far' });
        await invited(body, invitation);
      } catch (error) {
        complain(error);
      }
    };
    const form = h('form', { onsubmit: submit },
      h('fieldset', {}, h('legend', {}, t.pair.who), choice('who', 'own', t.pair.own, true), choice('who', 'person', t.pair.person), choice('who', 'host', t.pair.host)), roleLine,
      h('fieldset', {}, choice('distance', 'near', t.pair.near, true), choice('distance', 'far', t.pair.far)),
      h('div', { class: 'dialog-actions' }, h('button', { class: 'button primary', type: 'submit' }, t.pair.create)));
    body.append(form);
  });
}

// Shows the code until somebody has used it.
async function invited(body, invitation) {
  const text = invitation.code ?? invitation.ticket;
  const command = `peerdrive join ${text}`;
  const known = new Set((state.status?.peers ?? []).map((peer) => peer.device));
  const told = h('p', { class: 'waiting', role: 'status' }, t.pair.waiting);
  replace(body, h('p', {}, invitation.code ? t.pair.code : t.pair.ticket), h('p', { class: invitation.code ? 'code' : 'code long' }, text),
    h('ol', { class: 'hint' }, t.pair.steps.map((step) => h('li', {}, step))),
    h('div', { class: 'command' }, h('code', {}, command), button(t.copy, { icon: 'copy', onclick: () => copyText(command).catch(complain) })),
    await qr(text), h('p', { class: 'hint' }, t.pair.expires(moment(invitation.expires))), told);
  const look = setInterval(() => {
    if (!body.isConnected) return clearInterval(look);
    const joined = (state.status?.peers ?? []).find((peer) => !known.has(peer.device));
    if (!joined) return;
    clearInterval(look);
    told.className = 'done';
    replace(told, icon('check'), t.pair.joined(joined.name));
  }, LOOK_MS);
}

async function qr(text) {
  const { rows } = await post('/qr', { text });
  const canvas = h('canvas', { class: 'qr', role: 'img', 'aria-label': t.pair.qr, width: rows.length + 8, height: rows.length + 8 });
  const brush = canvas.getContext('2d');
  brush.fillStyle = '#fff';
  brush.fillRect(0, 0, canvas.width, canvas.height);
  brush.fillStyle = '#000';
  rows.forEach((row, y) => [...row].forEach((square, x) => { if (square === '1') brush.fillRect(x + 4, y + 4, 1, 1); }));
  return canvas;
}

function join() {
  dialog(t.join.title, (body, close) => {
    const code = h('input', { id: 'join-code', required: true, autocomplete: 'off', spellcheck: 'false', 'aria-describedby': 'join-hint' });
    const peer = h('input', { id: 'join-peer', autocomplete: 'off', placeholder: '192.168.1.20:7338' });
    const told = h('p', { role: 'status' });
    const go = h('button', { class: 'button primary', type: 'submit' }, t.join.go);
    const submit = async (event) => {
      event.preventDefault();
      go.disabled = true;
      told.className = 'waiting';
      told.textContent = t.join.working;
      try {
        const joined = await post('/join', { code: code.value.trim(), peer: peer.value.trim() || null });
        told.textContent = t.join.opening;
        await opened(joined.workspace);
        close();
        toast(t.join.done(joined.name));
        location.hash = '#/drive';
      } catch (error) {
        told.className = 'wrong';
        told.textContent = error.message;
        go.disabled = false;
      }
    };
    body.append(h('p', {}, t.join.lead), h('form', { onsubmit: submit }, h('label', { for: 'join-code' }, t.join.code), code, h('p', { class: 'hint', id: 'join-hint' }, t.join.codeHint),
      h('label', { for: 'join-peer' }, t.join.peer), peer, told, h('div', { class: 'dialog-actions' }, go)));
  });
}

// The daemon closes its own drive and opens the joined one; it is there when the status says so.
async function opened(workspace) {
  for (let tries = 0; tries < 60; tries += 1) {
    const status = await get('/status').catch((error) => { if (error.status === 401) throw error; });
    if (status?.workspaces.some((one) => one.id === workspace)) return;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}
