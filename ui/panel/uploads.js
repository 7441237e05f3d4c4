// Uploads by the tus protocol. One that breaks off goes on where it stopped: after a lost connection, after the daemon started again,
// and when the same file is dropped again on another day.

import { BASE, bus, inside, tell } from './api.js';

const AT_ONCE = 3;
const SMALL_BYTES = 4 << 20;
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 8000;
const TUS = { 'tus-resumable': '1.0.0' };

export const uploads = [];
let running = 0;

// Begins to upload `file` as the path `folder` + `name`.
export function add(file, folder, name = file.name) {
  uploads.push({ file, path: inside(folder, name), name, size: file.size, sent: 0, state: 'queued', error: null, request: null });
  changed();
  next();
}

export function cancel(upload) {
  const address = localStorage.getItem(keyOf(upload));
  upload.state = 'cancelled';
  upload.request?.abort();
  localStorage.removeItem(keyOf(upload));
  if (address) fetch(address, { method: 'DELETE', headers: TUS }).catch(() => {});
  uploads.splice(uploads.indexOf(upload), 1);
  changed();
}

export function clearDone() {
  for (const upload of uploads.filter((one) => one.state === 'done' || one.state === 'failed')) uploads.splice(uploads.indexOf(upload), 1);
  changed();
}

export const underWay = () => uploads.filter((upload) => !['done', 'failed', 'cancelled'].includes(upload.state));

const changed = () => tell('uploads');
const keyOf = ({ path, file }) => `upload ${path} ${file.size} ${file.lastModified}`;
const later = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function next() {
  while (running < AT_ONCE) {
    const upload = uploads.find((one) => one.state === 'queued');
    if (!upload) return;
    running += 1;
    upload.state = 'running';
    run(upload).finally(() => {
      running -= 1;
      changed();
      next();
    });
  }
}

// Tries until it is done, stopped, or refused for a reason that time does not mend.
async function run(upload) {
  let wait = FIRST_WAIT_MS;
  while (upload.state !== 'cancelled') {
    const before = upload.sent;
    try {
      await attempt(upload);
      upload.state = 'done';
      localStorage.removeItem(keyOf(upload));
      tell('uploaded', upload);
      return;
    } catch (error) {
      if (upload.state === 'cancelled') return;
      if (error.status === 401) tell('signed-out');
      if (error.final) {
        upload.state = 'failed';
        upload.error = error.message;
        return;
      }
    }
    upload.state = 'waiting';
    changed();
    wait = upload.sent > before ? FIRST_WAIT_MS : Math.min(wait * 2, LONGEST_WAIT_MS);
    await later(wait);
    if (upload.state === 'waiting') upload.state = 'running';
  }
}

async function attempt(upload) {
  const key = keyOf(upload);
  let address = localStorage.getItem(key);
  let offset = 0;
  if (address) {
    const response = await fetch(address, { method: 'HEAD', headers: TUS });
    if (response.ok) offset = Number(response.headers.get('upload-offset'));
    else if (response.status === 404) address = null;
    else throw Object.assign(new Error(), { status: response.status });
  }
  if (!address) {
    const small = upload.size <= SMALL_BYTES;
    const answer = await send(upload, 'POST', `${BASE}/uploads?path=${upload.path}`, { 'upload-length': upload.size }, small ? 0 : null);
    if (small) return;
    address = answer.getResponseHeader('location');
    localStorage.setItem(key, address);
  }
  upload.sent = offset;
  changed();
  await send(upload, 'PATCH', address, { 'upload-offset': offset }, offset);
}

// `from`: where the content that is sent begins; null: none is.
function send(upload, method, url, headers, from) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    upload.request = request;
    request.open(method, url);
    for (const [name, value] of Object.entries({ ...TUS, ...headers })) request.setRequestHeader(name, value);
    request.upload.addEventListener('progress', (event) => {
      if (from === null) return;
      upload.sent = from + event.loaded;
      changed();
    });
    request.addEventListener('loadend', () => {
      if (request.status >= 200 && request.status < 300) return resolve(request);
      let message = '';
      try {
        message = JSON.parse(request.responseText).detail;
      } catch {
        // There was no answer, or none of the daemon's.
      }
      // Refused for what it is. A busy daemon, a lock of an earlier try and a signed-out browser are mended by time.
      const final = request.status >= 400 && request.status < 600 && ![401, 404, 409, 423, 429, 503].includes(request.status);
      const conflict = request.status === 409 && method === 'POST';
      reject(Object.assign(new Error(message), { status: request.status, final: final || conflict }));
    });
    if (from === null) return request.send();
    request.setRequestHeader('content-type', 'application/offset+octet-stream');
    request.send(upload.file.slice(from));
  });
}

// All files of what was dropped, folders walked: pairs of a file and its name below `folder`.
export async function* dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (entries.length === 0) {
    for (const file of transfer.files) yield [file, []];
    return;
  }
  const open = entries.map((entry) => [entry, []]);
  while (open.length > 0) {
    const [entry, folders] = open.shift();
    if (entry.isFile) {
      yield [await new Promise((resolve, reject) => entry.file(resolve, reject)), folders];
      continue;
    }
    const reader = entry.createReader();
    for (;;) {
      const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
      if (some.length === 0) break;
      open.push(...some.map((below) => [below, [...folders, entry.name]]));
    }
  }
}

bus.addEventListener('online', changed);
addEventListener('beforeunload', (event) => { if (underWay().length > 0) event.preventDefault(); });
