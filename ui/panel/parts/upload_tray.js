// The uploads, at the edge of every page.

import { bus } from '../api.js';
import { button, h, icon, replace } from '../dom.js';
import { t } from '../strings.js';
import { cancel, clearDone, underWay, uploads } from '../uploads.js';

const SHOWN_MAX = 50;
// What is done and did not fail leaves the page free again.
const DONE_MS = 6000;

export function uploadTray() {
  const tray = h('section', { class: 'tray', 'aria-label': t.uploads.title, hidden: true });
  let asked = false;
  let soon = 0;
  const show = () => {
    asked = false;
    tray.hidden = uploads.length === 0;
    const active = underWay().length;
    clearTimeout(soon);
    if (uploads.length > 0 && uploads.every((upload) => upload.state === 'done')) soon = setTimeout(leave, DONE_MS);
    replace(tray,
      h('div', { class: 'tray-head' }, h('strong', { role: 'status' }, active > 0 ? t.uploads.running(active) : t.uploads.done),
        active === 0 ? button(t.uploads.clear, { icon: 'close', kind: 'bare', onclick: clearDone }) : null),
      h('ul', {}, uploads.slice(-SHOWN_MAX).reverse().map(line)));
  };
  // Not under somebody's pointer or keys.
  const leave = () => {
    if (tray.matches(':hover, :focus-within')) soon = setTimeout(leave, DONE_MS);
    else clearDone();
  };
  bus.addEventListener('uploads', () => {
    if (!asked) requestAnimationFrame(show);
    asked = true;
  });
  return tray;
}

function line(upload) {
  const told = {
    queued: t.uploads.queued,
    waiting: t.uploads.waiting,
    running: t.uploads.of(upload.sent, upload.size),
    done: t.uploads.finished,
    failed: upload.error || t.failed,
  }[upload.state];
  const done = upload.state === 'done';
  return h('li', { class: `upload ${upload.state}` },
    h('div', { class: 'upload-name' }, done ? icon('check') : null, h('span', {}, upload.name)),
    h('div', { class: 'upload-told' }, told),
    done || upload.state === 'failed' ? null : [
      h('progress', { max: Math.max(1, upload.size), value: upload.sent, 'aria-label': upload.name }),
      button(t.uploads.cancel(upload.name), { icon: 'close', kind: 'bare', onclick: () => cancel(upload) }),
    ]);
}
