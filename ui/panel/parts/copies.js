// On how many computers files are: asked for those whose badges are on the page, a moment after they came there.

import { bus, post } from '../api.js';
import { h } from '../dom.js';
import { t } from '../strings.js';

// In one question; the API takes 64 paths and 16 KiB.
const ASKED_MAX = 64;
const ASKED_MAX_CHARS = 12000;
const SOON_MS = 40;
// A figure is asked for again after so long, when its badge is drawn anew.
const FRESH_MS = 2000;
const KNOWN_MAX = 2000;

// By path: {key, copies, wanted, at}. The key is what the entry was when they were counted.
const known = new Map();
let waiting = new Set();
let soon = null;
let asking = false;

const keyOf = (entry) => `${entry.state} ${entry.modified} ${entry.size}`;

// The place of the figure in a badge; it is filled when the answer comes.
export function figure(entry) {
  const place = h('span', { class: 'copies', 'data-copies': entry.path, 'data-key': keyOf(entry), 'data-state': entry.state });
  const count = known.get(entry.path);
  const fits = count?.key === keyOf(entry);
  if (fits) fill(place, count);
  if (!fits || Date.now() - count.at > FRESH_MS) want(entry.path);
  return place;
}

// What a badge says when somebody rests on it.
const hintOf = ({ state, copies, wanted }) => (state === 'safe' && copies < wanted ? t.states.fewerHint(copies, wanted) : t.states[`${state}Hint`]);

// The same for an entry, as far as its figure is known.
export function hintFor(entry) {
  const count = known.get(entry.path);
  return hintOf({ state: entry.state, copies: 0, wanted: 0, ...(count?.key === keyOf(entry) ? count : {}) });
}

function want(path) {
  waiting.add(path);
  soon ??= setTimeout(ask, SOON_MS);
}

async function ask() {
  soon = null;
  if (asking) return;
  // Whatever was scrolled out of sight meanwhile is not asked for.
  const places = new Map([...document.querySelectorAll('[data-copies]')].map((place) => [place.dataset.copies, place.dataset.key]));
  const paths = [];
  let room = ASKED_MAX_CHARS;
  for (const path of waiting) {
    if (!places.has(path)) waiting.delete(path);
    else if (paths.length < ASKED_MAX && (paths.length === 0 || path.length < room)) {
      paths.push(path);
      room -= path.length + 3;
    }
  }
  if (paths.length === 0) return;
  asking = true;
  try {
    const { wanted, files } = await post('/files/copies', { paths });
    for (const { path, copies } of files) {
      known.delete(path);
      known.set(path, { key: places.get(path), copies, wanted, at: Date.now() });
      waiting.delete(path);
    }
    // The first is always counted: where even it is not, it is nothing that has copies, or cannot be counted now.
    if (files[0]?.path !== paths[0]) waiting.delete(paths[0]);
    while (known.size > KNOWN_MAX) known.delete(known.keys().next().value);
    show();
  } catch {
    // The badge says how safe it is without the figure; whoever draws it again asks again.
    waiting = new Set();
  }
  asking = false;
  if (waiting.size > 0) soon ??= setTimeout(ask, SOON_MS);
}

function show() {
  for (const place of document.querySelectorAll('[data-copies]')) {
    const count = known.get(place.dataset.copies);
    if (count?.key === place.dataset.key) fill(place, count);
  }
}

function fill(place, { copies, wanted }) {
  const shown = Math.min(copies, wanted);
  place.replaceChildren(h('span', { 'aria-hidden': 'true' }, `${shown}/${wanted}`), h('span', { class: 'unseen' }, t.states.copies(shown, wanted)));
  const { state } = place.dataset;
  // Not in a badge that is only being made: `figure` is called before it is there.
  place.closest('.badge')?.setAttribute('title', hintOf({ state, copies: shown, wanted }));
}

// Who is there changes what can be counted, and how many are wanted.
let there = '';
bus.addEventListener('status', ({ detail }) => {
  const now = detail.peers.map((peer) => peer.device + peer.state).join() + detail.workspaces[0]?.policy?.copies;
  if (there !== '' && now !== there) for (const place of document.querySelectorAll('[data-copies]')) want(place.dataset.copies);
  there = now;
});
