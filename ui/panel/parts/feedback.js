// What the page says of its own accord: toasts, dialogs, questions.

import { button, h, icon, replace } from '../dom.js';
import { t } from '../strings.js';

const TOAST_MS = 8000;
let toasts = null;

export function toastPlace() {
  toasts = h('div', { class: 'toasts', role: 'status', 'aria-live': 'polite' });
  return toasts;
}

// Says something for a while, with something to do about it.
export function toast(text, { action, act, kind = '' } = {}) {
  const gone = () => line.remove();
  const line = h('div', { class: `toast ${kind}` }, h('span', {}, text),
    action ? button(action, { kind: 'quiet', onclick: () => { gone(); act(); } }) : null,
    button(t.close, { icon: 'close', kind: 'bare', onclick: gone }));
  toasts.append(line);
  setTimeout(gone, action ? TOAST_MS * 2 : TOAST_MS);
}

export const complain = (error) => toast(error.message ?? String(error), { kind: 'bad' });

// A dialog with a title; `fill` gets the body and a function that closes it.
export function dialog(title, fill, { wide = false } = {}) {
  const opener = document.activeElement;
  const body = h('div', { class: 'dialog-body' });
  const titleLine = h('h2', { id: 'dialog-title' }, title);
  const box = h('dialog', { class: wide ? 'wide' : '', 'aria-labelledby': 'dialog-title' },
    h('div', { class: 'dialog-head' }, titleLine, button(t.close, { icon: 'close', kind: 'bare', onclick: () => box.close() })),
    body);
  box.addEventListener('click', (event) => { if (event.target === box) box.close(); });
  box.addEventListener('close', () => { box.remove(); opener?.isConnected && opener.focus(); });
  document.body.append(box);
  fill(body, () => box.close(), box, titleLine);
  box.showModal();
  return box;
}

// Asks for a line of text; `done` is called with it.
export function askText(title, { label, value = '', hint = '', action, done, type = 'text' }) {
  dialog(title, (body, close) => {
    const input = h('input', { type, value, id: 'ask-text', autocomplete: 'off', spellcheck: 'false', required: true });
    const wrong = h('p', { class: 'wrong', role: 'alert' });
    const submit = async (event) => {
      event.preventDefault();
      try {
        await done(input.value.trim());
        close();
      } catch (error) {
        wrong.textContent = error.message;
      }
    };
    body.append(h('form', { onsubmit: submit }, h('label', { for: 'ask-text' }, label), input,
      hint ? h('p', { class: 'hint' }, hint) : null, wrong,
      h('div', { class: 'dialog-actions' }, button(t.cancel, { onclick: close }), h('button', { class: 'button primary', type: 'submit' }, action))));
    queueMicrotask(() => {
      const dot = value.lastIndexOf('.');
      input.setSelectionRange(0, dot > 0 ? dot : value.length);
    });
  });
}

export function confirm(title, text, action, done) {
  dialog(title, (body, close) => {
    const wrong = h('p', { class: 'wrong', role: 'alert' });
    const act = async () => {
      try {
        await done();
        close();
      } catch (error) {
        wrong.textContent = error.message;
      }
    };
    body.append(h('p', {}, text), wrong, h('div', { class: 'dialog-actions' }, button(t.cancel, { onclick: close }),
      button(action, { kind: 'danger', onclick: act })));
  });
}

// A menu at its button, for mouse and keys.
export function menu(opener, items) {
  document.querySelector('.menu')?.remove();
  const close = (focus) => {
    list.remove();
    removeEventListener('pointerdown', outside, true);
    if (focus) opener.focus();
  };
  const outside = (event) => { if (!list.contains(event.target)) close(false); };
  const list = h('div', { class: 'menu', role: 'menu' }, items.filter(Boolean).map(([name, label, act, kind]) =>
    h('button', { role: 'menuitem', type: 'button', class: kind ?? '', onclick: () => { close(true); act(); } }, icon(name), label)));
  list.addEventListener('keydown', (event) => {
    const buttons = [...list.children];
    const at = buttons.indexOf(document.activeElement);
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) buttons.at((at + step) % buttons.length).focus();
    else if (event.key === 'Escape' || event.key === 'Tab') close(true);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  document.body.append(list);
  const at = opener.getBoundingClientRect();
  list.style.left = `${Math.max(8, Math.min(at.right - list.offsetWidth, innerWidth - list.offsetWidth - 8))}px`;
  list.style.top = `${Math.max(8, Math.min(at.bottom + 4, innerHeight - list.offsetHeight - 8))}px`;
  addEventListener('pointerdown', outside, true);
  list.firstChild.focus();
}

// What stands where there is nothing to show.
export function notice(name, title, text, ...more) {
  return h('div', { class: 'notice' }, h('div', { class: 'notice-icon' }, icon(name)), h('h2', {}, title), text ? h('p', {}, text) : null, more);
}

// Fills a place with what a request answers: first "loading", then that, or why not and a way to try again.
export async function load(place, request, fill) {
  const slow = setTimeout(() => replace(place, h('p', { class: 'loading', role: 'status' }, t.loading)), 150);
  try {
    const answer = await request();
    clearTimeout(slow);
    replace(place);
    fill(answer);
  } catch (error) {
    clearTimeout(slow);
    if (error.name === 'AbortError') return;
    replace(place, notice('alert', t.failed, error.message, button(t.retry, { onclick: () => load(place, request, fill) })));
  }
}

export async function copyText(text) {
  await navigator.clipboard.writeText(text);
  toast(t.copied);
}
