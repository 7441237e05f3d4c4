// Small pictures of pictures, made here: only what is in sight is fetched, a few at a time, nothing long, and what is kept is small.

import { contentUrl } from '../api.js';
import { h } from '../dom.js';
import { mimeOf } from '../kinds.js';

// Longer pictures are shown by an icon: a folder of them would fetch gigabytes.
const PICTURE_MAX_BYTES = 12 << 20;
// Drawings are not scaled down, but drawn by the browser.
const DRAWING_MAX_BYTES = 256 << 10;
const AT_ONCE = 3;
const WIDTH = 320;
const KEPT_MAX = 96;

// By path and time of change, the oldest first.
const kept = new Map();
const waiting = [];
let running = 0;

export function hasThumbnail(entry) {
  const mime = mimeOf(entry.name);
  if (entry.kind !== 'file' || entry.partial || entry.size === 0 || !mime?.startsWith('image/')) return false;
  return entry.size <= (mime === 'image/svg+xml' ? DRAWING_MAX_BYTES : PICTURE_MAX_BYTES);
}

// A place for the picture; `instead` stands there until it has come, and for good when it cannot be shown.
export function thumbnail(entry, instead) {
  if (mimeOf(entry.name) === 'image/svg+xml') return h('img', { src: contentUrl(entry.path), alt: '', loading: 'lazy', onerror: (event) => event.target.replaceWith(instead) });
  const key = `${entry.path} ${entry.modified} ${entry.size}`;
  const known = kept.get(key);
  if (known) return known;
  const place = h('span', { class: 'thumb-place' }, instead);
  waiting.push({ entry, key, place });
  queueMicrotask(next);
  return place;
}

function next() {
  while (running < AT_ONCE && waiting.length > 0) {
    // What was asked for last is what is looked at now; what has left the page is not wanted any more.
    const wish = waiting.pop();
    if (!wish.place.isConnected) continue;
    running += 1;
    make(wish).catch(() => {}).finally(() => {
      running -= 1;
      next();
    });
  }
}

async function make({ entry, key, place }) {
  const answer = await fetch(contentUrl(entry.path));
  if (!answer.ok) return;
  const picture = await createImageBitmap(await answer.blob(), { resizeWidth: WIDTH, resizeQuality: 'medium' });
  const canvas = h('canvas', { class: 'thumb-picture', width: picture.width, height: picture.height });
  canvas.getContext('2d').drawImage(picture, 0, 0);
  picture.close();
  kept.set(key, canvas);
  if (kept.size > KEPT_MAX) kept.delete(kept.keys().next().value);
  if (place.isConnected) place.replaceWith(canvas);
}
