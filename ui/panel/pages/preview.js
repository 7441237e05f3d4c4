// What is in a file, without running any of it. Text is fetched and shown as text; images, sound and films go to elements that run no
// scripts; a PDF goes to the browser's own viewer. The daemon seals each answer off besides.

import { contentUrl } from '../api.js';
import { button, h, replace } from '../dom.js';
import { moment, size } from '../format.js';
import { kindOf } from '../kinds.js';
import { dialog } from '../parts/feedback.js';
import { markdown } from '../parts/markdown.js';
import { t } from '../strings.js';

const TEXT_BYTES = 256 << 10;

export function showPreview(entry, all) {
  let at = all.findIndex((one) => one.path === entry.path);
  dialog(entry.name, (body, close, box, title) => {
    const stage = h('div', { class: 'stage' });
    const told = h('p', { class: 'hint' });
    const save = h('a', { class: 'button primary', download: '' }, t.drive.download);
    const step = (by) => {
      at = (at + by + all.length) % all.length;
      draw();
    };
    const draw = () => {
      const one = all[at] ?? entry;
      title.textContent = one.name;
      told.textContent = `${size(one.size)} · ${moment(one.modified)}`;
      save.href = contentUrl(one.path, true, one.version);
      fill(stage, one);
    };
    body.append(stage, h('div', { class: 'dialog-actions' }, told,
      all.length > 1 ? [button(t.preview.previous, { onclick: () => step(-1) }), button(t.preview.next, { onclick: () => step(1) })] : null, save));
    draw();
    box.addEventListener('keydown', (event) => {
      if (event.target.closest('video, audio')) return;
      if (event.key === 'ArrowLeft') step(-1);
      if (event.key === 'ArrowRight') step(1);
    });
  }, { wide: true });
}

// What an entry, or a version of it, looks like.
export function stageOf(entry) {
  const stage = h('div', { class: 'stage' });
  fill(stage, entry);
  return stage;
}

function fill(stage, entry) {
  const url = contentUrl(entry.path, false, entry.version);
  const failed = () => replace(stage, h('p', { class: 'loading' }, t.preview.failed));
  const draw = {
    image: () => h('img', { src: url, alt: entry.name, onerror: failed }),
    video: () => h('video', { src: url, controls: true, preload: 'metadata', onerror: failed }),
    audio: () => h('audio', { src: url, controls: true, preload: 'metadata', onerror: failed }),
    pdf: () => h('iframe', { src: url, title: entry.name }),
    text: () => text(url, entry),
  }[kindOf(entry.called ?? entry.name)];
  replace(stage, draw ? draw() : h('p', { class: 'loading' }, t.preview.none));
}

// Where the colours cannot be fetched the text stays as it is.
function inColours(shown, name) {
  import('../later/code.js').then(({ coloured }) => {
    const nodes = coloured(shown.textContent, name);
    if (nodes) replace(shown, nodes);
  }).catch(() => {});
}

// Markdown is shown as a page, and as it is written.
function text(url, entry) {
  const shown = h('pre', { tabindex: '0' }, t.loading);
  const place = h('div', { class: 'text' }, shown);
  const asPage = (written) => {
    const page = markdown(written);
    const turn = button(t.preview.source, { kind: 'quiet', 'aria-pressed': 'false', onclick: () => {
      const isPage = page.isConnected;
      (isPage ? page : shown).replaceWith(isPage ? shown : page);
      turn.setAttribute('aria-pressed', String(isPage));
    } });
    shown.replaceWith(page);
    place.prepend(h('div', { class: 'turn' }, turn));
  };
  const headers = entry.size > TEXT_BYTES ? { range: `bytes=0-${TEXT_BYTES - 1}` } : {};
  fetch(url, { headers }).then(async (response) => {
    if (!response.ok) throw new Error();
    shown.textContent = await response.text();
    if (/\.(md|markdown)$/i.test(entry.called ?? entry.name)) asPage(shown.textContent);
    else inColours(shown, entry.called ?? entry.name);
    if (entry.size > TEXT_BYTES) place.append(h('p', { class: 'hint' }, t.preview.cut(TEXT_BYTES)));
  }).catch(() => { shown.textContent = t.preview.failed; });
  return place;
}
