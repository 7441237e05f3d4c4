// The way to the daemon: the API that every other program uses too, and its stream of events.

import { t } from './strings.js';

export const BASE = '/api/v1';

export class ApiError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

// Who listens: "signed-out", "status", "tree", "online", "offline".
export const bus = new EventTarget();
export const tell = (name, detail) => bus.dispatchEvent(new CustomEvent(name, { detail }));

// How often a request is sent again that came too early.
const TRIES_MAX = 4;

async function ask(method, route, body, signal, tries = 1) {
  let response;
  try {
    response = await fetch(BASE + route, {
      method,
      signal,
      headers: body === undefined ? {} : { 'content-type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new ApiError(0, t.unreachable);
  }
  const wait = Number(response.headers.get('retry-after'));
  if (response.status === 429 && wait > 0 && tries < TRIES_MAX) {
    await new Promise((resolve) => setTimeout(resolve, wait * 1000));
    return ask(method, route, body, signal, tries + 1);
  }
  if (response.status === 401) tell('signed-out');
  const answer = await response.json().catch(() => null);
  if (!response.ok) throw new ApiError(response.status, answer?.detail ?? t.answered(response.status));
  return answer;
}

export const get = (route, signal) => ask('GET', route, undefined, signal);
// A part of a list: `limit` entries behind `after`, which is null for the first.
export const getPart = (route, limit, after, signal) => get(`${route}${route.includes('?') ? '&' : '?'}limit=${limit}${after === null ? '' : `&after=${after}`}`, signal);

const PART_ENTRIES = 1000;

// All of a list that is told in parts and is short by its nature.
export async function getAll(route, signal) {
  const entries = [];
  for (let after = null, ends = false; !ends;) {
    const part = await getPart(route, PART_ENTRIES, after, signal);
    entries.push(...part.entries);
    after = part.next;
    ends = after === null;
  }
  return entries;
}

export const post = (route, body = {}) => ask('POST', route, body);
export const del = (route) => ask('DELETE', route);

// The path of a name in a folder; both are percent-encoded as the API has them, the name is plain.
export const inside = (folder, name) => `${folder === '/' ? '' : folder}/${encodeURIComponent(name)}`;
export const parentOf = (path) => path.slice(0, path.lastIndexOf('/')) || '/';
// A name or path as people read it.
export function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export const contentUrl = (path, download, version) => `${BASE}/files/content?path=${path}${version ? `&version=${version}` : ''}${download ? '&download=1' : ''}`;
export const zipUrl = (path) => `${BASE}/files/zip?path=${path}`;
export const tarUrl = (path) => `${BASE}/files/tar?path=${path}`;

let source = null;

// Until a daemon that opens anew is asked for the first time, and between two more questions.
const PROBE_MS = { first: 300, again: 1500 };

// Listens until the page goes. The browser would connect again by itself, but only after some seconds.
export function listen() {
  source?.close();
  source = new EventSource(`${BASE}/events`);
  source.addEventListener('open', () => tell('online'));
  source.addEventListener('status', (event) => tell('status', JSON.parse(event.data)));
  source.addEventListener('tree', () => tell('tree'));
  source.addEventListener('error', () => {
    source.close();
    tell('offline');
    setTimeout(probe, PROBE_MS.first);
  });
}

// Refused: because nobody is signed in (then it is told), or because the daemon opens anew.
async function probe() {
  try {
    await get('/status');
    listen();
  } catch (error) {
    if (error.status !== 401) setTimeout(probe, PROBE_MS.again);
  }
}

// The newest status, and whether the daemon opens anew because this page asked for it.
export const state = { status: null, opensAnew: false };
bus.addEventListener('status', (event) => {
  state.status = event.detail;
});
