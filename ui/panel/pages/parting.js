// What a computer would take with it, and how one goes: given up as lost, or this one leaving.

import { get, post } from '../api.js';
import { button, h, replace } from '../dom.js';
import { duration, number, size } from '../format.js';
import { complain, confirm, dialog, load, toast } from '../parts/feedback.js';
import { t } from '../strings.js';

const LOOK_MS = 1000;
const PATHS_MAX = 8;

// What would be gone or down to one copy if this computer died now.
export function showIfLost(device) {
  dialog(t.parting.ifLostTitle(device.name), (body) => {
    load(body, () => post('/status/if_lost', { devices: [device.device] }), (told) => body.append(...ifLost(told)));
  });
}

export function ifLost(told) {
  const none = told.gone.files === 0;
  const [verdict, kind] = none ? [told.single.files > 0 ? t.parting.nothingGone : told.complete ? t.parting.nothingLost : t.parting.nothingSeen, 'good'] : [t.parting.gone(told.gone.files, told.gone.bytes), 'bad'];
  return [h('p', { class: `told ${kind}` }, h('strong', {}, verdict)), paths(told.gone),
    told.single.files > 0 ? h('p', {}, t.parting.single(told.single.files, told.single.bytes)) : null, paths(told.single),
    h('p', {}, told.heal_bytes === 0 ? t.parting.healNothing : told.heal_s === null ? t.parting.healNobody(told.heal_bytes, told.hosts_left) : t.parting.heal(told.heal_bytes, told.hosts_left, duration(told.heal_s))),
    told.complete ? null : h('p', { class: 'hint' }, t.parting.notAll)].filter(Boolean);
}

function paths({ files, paths: named }) {
  if (files === 0) return null;
  const shown = named.slice(0, PATHS_MAX);
  return h('ul', { class: 'paths' }, shown.map((path) => h('li', {}, path)), files > shown.length ? h('li', { class: 'hint' }, t.parting.more(files - shown.length)) : null);
}

export function declareLost(device, changed) {
  confirm(t.parting.lostTitle(device.name), t.parting.lostText, t.parting.lost, async () => {
    await post('/devices/lost', { device: device.device });
    changed();
  });
}

export function declareFound(device, changed) {
  post('/devices/found', { device: device.device }).then(() => { toast(t.parting.foundTold(device.name)); changed(); }).catch(complain);
}

// This computer leaves: told what that means, then watched.
export function showLeave() {
  dialog(t.parting.leaveTitle, (body) => {
    const told = h('div', { role: 'status' });
    const act = h('div', { class: 'dialog-actions' });
    const wrong = h('p', { class: 'wrong', role: 'alert' });
    let timer = null;
    const ask = async (request) => {
      wrong.textContent = '';
      try {
        draw(await post('/leave', request));
      } catch (error) {
        wrong.textContent = error.message;
        // Where too few are left for all copies, it can still go if nothing is lost by it.
        if (!request.now && !request.cancel) replace(act, button(t.parting.leaveNow, { kind: 'danger', onclick: () => ask({ now: true }) }));
      }
    };
    const draw = (leave) => {
      clearTimeout(timer);
      replace(told, progress(leave));
      replace(act, leave.state === 'leaving' ? [button(t.parting.leaveCancel, { onclick: () => ask({ cancel: true }) }), leave.nothing_lost ? button(t.parting.leaveNow, { kind: 'danger', onclick: () => ask({ now: true }) }) : null]
        : leave.state === 'member' ? button(t.parting.leave, { kind: 'danger', onclick: () => ask({}) }) : null);
      if (leave.state === 'leaving' && body.isConnected) timer = setTimeout(look, LOOK_MS);
    };
    // The daemon ends when it is out; nobody answers then.
    const look = () => get('/leave').then(draw).catch((error) => { if (body.isConnected) replace(told, h('p', {}, error.status === 0 ? t.parting.left('') : error.message)); });
    body.append(h('p', {}, t.parting.leaveText), told, wrong, act);
    look();
  });
}

function progress(leave) {
  if (leave.state === 'left') return h('p', {}, t.parting.left(leave.aside ?? ''));
  if (leave.state === 'member') return null;
  return [h('p', {}, t.parting.toGo(number(leave.chunks), leave.counted, leave.hosts)), leave.waits_for ? h('p', { class: 'hint' }, t.parting.waitsFor(leave.waits_for)) : null];
}
