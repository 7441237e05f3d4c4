// Taking another computer in, and joining the drive of another one.

import { get, post, state } from '../api.js';
import { button, h, replace } from '../dom.js';
import { soonMoment } from '../format.js';
import { complain, copyText, dialog, notice, toast } from '../parts/feedback.js';
import { t } from '../strings.js';

const LOOK_MS = 1000;

export function pair() {
  dialog(t.pair.title, (body, close) => {
    const roles = h('select', { id: 'role' }, Object.entries(t.pair.roles).map(([role, text]) => h('option', { value: role }, text)));
    const roleLine = h('div', { hidden: true }, h('label', { for: 'role' }, t.pair.role), roles);
    const choice = (group, value, text, checked) => h('label', { class: 'choice' }, h('input', { type: 'radio', name: group, value, checked, onchange: () => { roleLine.hidden = form.who.value !== 'person'; } }), text);
    const submit = async (event) => {
      event.preventDefault();
      const who = form.who.value;
      try {
        const invitation = await post('/invite', { role: who === 'own' ? null : who === 'host' ? 'host' : roles.value, ticket: form.distance.value === 'far' });
        await invited(body, close, invitation);
      } catch (error) {
        complain(error);
      }
    };
    const form = h('form', { onsubmit: submit },
      h('fieldset', {}, h('legend', {}, t.pair.who), choice('who', 'own', t.pair.own, true), choice('who', 'person', t.pair.person), choice('who', 'host', t.pair.host)), roleLine,
      h('fieldset', {}, h('legend', {}, t.pair.distance), choice('distance', 'near', t.pair.near, true), choice('distance', 'far', t.pair.far)),
      h('div', { class: 'dialog-actions' }, h('button', { class: 'button primary', type: 'submit' }, t.pair.create)));
    body.append(form);
  });
}

// Shows the code until somebody has used it.
async function invited(body, close, invitation) {
  const text = invitation.code ?? invitation.ticket;
  const command = `peerdrive join ${text}`;
  const known = new Set((state.status?.peers ?? []).map((peer) => peer.device));
  const told = h('p', { class: 'waiting', role: 'status' }, t.pair.waiting);
  replace(body, h('p', {}, invitation.code ? t.pair.code : t.pair.ticket), h('p', { class: invitation.code ? 'code' : 'code long' }, text),
    h('ol', { class: 'hint' }, h('li', {}, t.pair.steps.start, ' ', h('code', {}, t.pair.steps.command)), h('li', {}, t.pair.steps.join)),
    h('div', { class: 'command' }, h('code', {}, command), button(t.copy, { icon: 'copy', onclick: () => copyText(command).catch(complain) })),
    await qr(text), h('p', { class: 'hint' }, t.pair.expires(soonMoment(invitation.expires))), told);
  const look = setInterval(() => {
    if (!body.isConnected) return clearInterval(look);
    const joined = (state.status?.peers ?? []).find((peer) => !known.has(peer.device));
    if (!joined) return;
    clearInterval(look);
    // The code is used up: nothing of it is worth showing any more.
    replace(body, notice('check', t.pair.joined(joined.name), t.pair.joinedHint, button(t.done, { kind: 'primary', onclick: close })));
    body.querySelector('.button').focus();
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

export function join() {
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
      // The daemon opens anew on the way: that is no fault to tell of.
      state.opensAnew = true;
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
      } finally {
        state.opensAnew = false;
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
