// What this computer gives.

import { bus, get, post, state } from '../api.js';
import { h, replace } from '../dom.js';
import { parseSize, percent, size } from '../format.js';
import { complain, load, toast } from '../parts/feedback.js';
import { t } from '../strings.js';
import { hours } from './hours.js';
import { spread } from './spread.js';

// The slider's steps: fine where little is given, coarse where much is.
const STEPS = 1000;
const STEP_BYTES = 64 << 20;
// What the roster takes.
const COPIES_MIN = 2;
const COPIES_MAX = 8;

export function showStorage(main) {
  const stop = new AbortController();
  const place = h('div');
  replace(main, h('header', { class: 'page-head' }, h('div', {}, h('h1', {}, t.pages.storage), h('p', { class: 'lead' }, t.storage.lead))), place);
  const tellNow = () => get('/contribute', stop.signal).then((now) => { document.getElementById('hours-now').textContent = hoursNow(now); }).catch(complain);
  const request = () => Promise.all([get('/storage', stop.signal), get('/contribute', stop.signal)]);
  load(place, request, ([storage, given]) => {
    const disk = new Disk(storage);
    place.append(disk.element, form(storage, given, disk), hours(stop.signal, tellNow), copies(stop.signal), stored(storage), written(stop.signal), spread(stop.signal));
    bus.addEventListener('status', () => get('/storage', stop.signal).then((now) => disk.renew(now)).catch(() => {}), { signal: stop.signal });
  });
  return () => stop.abort();
}

// The disk as one bar: what others use, what the drive uses and may use, what stays free.
class Disk {
  constructor(storage) {
    this.storage = storage;
    this.given = storage.contributed;
    this.reserve = storage.reserve;
    this.bar = h('div', { class: 'disk', role: 'img' });
    this.legend = h('ul', { class: 'legend' });
    this.element = h('section', { class: 'panel' }, h('h2', {}, t.storage.disk), this.bar, this.legend);
    this.draw();
  }

  renew(storage) {
    this.storage = storage;
    this.draw();
  }

  draw() {
    const { disk_bytes: all, disk_free_bytes: free, used, can_store: room } = this.storage;
    const total = all ?? this.given;
    const left = free ?? 0;
    const unused = Math.max(0, Math.min(this.given - used, left - this.reserve));
    const kept = Math.min(this.reserve, left);
    const parts = [['others', t.storage.others, Math.max(0, total - left - used)], ['used', t.storage.used, used], ['given', t.storage.given, unused], ['free', t.storage.free, Math.max(0, left - unused - kept)], ['reserve', t.storage.reserve, kept]];
    replace(this.bar, parts.map(([kind, , bytes]) => {
      const part = h('div', { class: kind });
      part.style.flexGrow = bytes / total;
      if (bytes > 0) part.style.minWidth = '3px';
      return part;
    }));
    this.bar.setAttribute('aria-label', parts.map(([, text, bytes]) => `${text}: ${size(bytes)}`).join(', '));
    replace(this.legend, parts.map(([kind, text, bytes]) => h('li', {}, h('span', { class: `swatch ${kind}`, 'aria-hidden': 'true' }), text, h('strong', {}, size(bytes)))),
      h('li', {}, h('span', { class: 'swatch none', 'aria-hidden': 'true' }), t.storage.canStore, h('strong', {}, size(room))));
  }
}

function form(storage, given, disk) {
  const most = Math.max(given.contributed, storage.used + (storage.disk_free_bytes ?? 0) - given.reserve, STEP_BYTES);
  const bytesAt = (step) => (step >= STEPS ? most : Math.round((most * (step / STEPS) ** 2) / STEP_BYTES) * STEP_BYTES);
  const stepOf = (bytes) => Math.round(STEPS * Math.sqrt(Math.min(1, bytes / most)));
  const told = h('output', { for: 'give' }, size(given.contributed));
  const below = h('p', { class: 'hint', role: 'status' });
  const wrong = h('p', { class: 'wrong', role: 'alert' });
  const slider = h('input', { type: 'range', id: 'give', min: '0', max: String(STEPS), value: String(stepOf(given.contributed)), oninput: () => show(bytesAt(Number(slider.value))) });
  const reserve = line('reserve', t.storage.reserveLabel, given.reserve, t.storage.reserveHint);
  const up = line('up', t.storage.up, given.up, t.storage.rateHint);
  const down = line('down', t.storage.down, given.down, t.storage.rateHint);
  let chosen = given.contributed;
  const show = (bytes) => {
    chosen = bytes;
    told.textContent = size(bytes);
    slider.setAttribute('aria-valuetext', size(bytes));
    below.textContent = bytes < storage.used ? t.storage.below(storage.used) : '';
    disk.given = bytes;
    disk.draw();
  };
  const submit = async (event) => {
    event.preventDefault();
    wrong.textContent = '';
    const [kept, sent, received] = [reserve, up, down].map((one) => (one.input.value.trim() === '' ? 0 : parseSize(one.input.value)));
    if ([kept, sent, received].includes(null)) {
      wrong.textContent = t.storage.wrong;
      return;
    }
    try {
      const now = await post('/contribute', { contribute: chosen, reserve: kept, up: sent, down: received });
      disk.reserve = now.reserve;
      document.getElementById('hours-now').textContent = hoursNow(now);
      disk.draw();
      toast(t.saved);
    } catch (error) {
      wrong.textContent = error.message;
    }
  };
  slider.setAttribute('aria-valuetext', size(given.contributed));
  return h('form', { class: 'panel', onsubmit: submit }, h('label', { for: 'give', class: 'big-label' }, t.storage.slider, told), slider, below, reserve.element,
    h('h3', {}, t.storage.limits), h('div', { class: 'pair' }, up.element, down.element),
    h('p', { class: 'hint', id: 'hours-now' }, hoursNow(given)), wrong,
    h('div', { class: 'actions' }, h('button', { class: 'button primary', type: 'submit' }, t.save)));
}

const hoursNow = (given) => (given.hours_now ? t.storage.hoursNow(given.hours_now, rate(given.up_now), rate(given.down_now)) : '');
const rate = (bytes) => (bytes === 0 ? t.storage.unlimited : `${size(bytes)}/s`);

// What was decided for all computers; who may not decide it is told so by the daemon.
function copies(signal) {
  const place = h('section', { class: 'panel' });
  load(place, () => get('/workspace/policy', signal), (policy) => {
    const wrong = h('p', { class: 'wrong', role: 'alert' });
    const choose = h('select', { id: 'copies', 'aria-describedby': 'copies-hint', onchange: async () => {
      wrong.textContent = '';
      try {
        await post('/workspace/policy', { copies: Number(choose.value) });
        toast(t.saved);
      } catch (error) {
        choose.value = String(policy.copies);
        wrong.textContent = error.message;
      }
    } }, Array.from({ length: COPIES_MAX - COPIES_MIN + 1 }, (_, at) => COPIES_MIN + at).map((count) => h('option', { value: String(count), selected: count === policy.copies }, t.storage.copiesOf(count))));
    place.append(h('h2', {}, t.storage.copies), h('label', { for: 'copies', class: 'unseen' }, t.storage.copies), h('div', { class: 'narrow' }, choose), h('p', { class: 'hint', id: 'copies-hint' }, t.storage.copiesHint(policy.min)), wrong);
  });
  return place;
}

// What lies in the packs of this computer.
function stored(storage) {
  const fact = (label, value, hint) => [h('dt', {}, label), h('dd', {}, value, hint ? h('span', { class: 'hint' }, ` ${hint}`) : null)];
  const drive = state.status?.workspaces[0];
  return h('section', { class: 'panel' }, h('h2', {}, t.storage.stored), h('dl', {},
    drive && !drive.blind ? fact(t.storage.driveBytes, size(drive.bytes), t.storage.driveFiles(drive.files)) : null,
    fact(t.storage.chunks, size(storage.live_bytes), t.storage.chunkCount(storage.chunks)),
    fact(t.storage.cached, size(storage.cached_bytes), t.storage.cachedHint),
    fact(t.storage.dead, size(Math.max(0, storage.used - storage.live_bytes)), t.storage.deadHint),
    fact(t.storage.saved, size(storage.saved_bytes), t.storage.savedHint),
    fact(t.storage.compressed, size(storage.compressed_away_bytes), t.storage.compressedHint)));
}

function line(id, label, bytes, hint) {
  const text = bytes === 0 ? '' : size(bytes);
  const input = h('input', { id, value: text, autocomplete: 'off', placeholder: t.storage.unlimited, 'aria-describedby': `${id}-hint` });
  return { input, element: h('div', {}, h('label', { for: id }, label), input, h('p', { class: 'hint', id: `${id}-hint` }, hint)) };
}

// Who wrote what is in the drive; a host without keys sees no files.
function written(signal) {
  const place = h('section', { class: 'panel', id: 'written' });
  if (state.status?.workspaces[0].blind) return null;
  load(place, () => get('/storage/written', signal), ({ devices, complete }) => {
    const users = Map.groupBy(devices, (device) => device.user);
    const sum = (list, key) => list.reduce((all, device) => all + device[key], 0);
    const all = sum(devices, 'bytes');
    const rows = [...users.values()].map((list) => h('li', {}, h('strong', {}, list[0].user_name ?? t.storage.unknownUser), h('span', { class: 'hint' }, t.storage.wrote(sum(list, 'bytes'), sum(list, 'files'), percent(sum(list, 'bytes'), all))),
      h('span', { class: 'hint' }, list.map((device) => t.storage.wroteOn(device.device, device.bytes)).join(', '))));
    place.append(h('h2', {}, t.storage.written), h('p', { class: 'hint' }, t.storage.writtenLead), rows.length > 0 ? h('ul', { class: 'shares' }, rows) : h('p', {}, t.storage.writtenNone),
      complete ? '' : h('p', { class: 'hint' }, t.storage.writtenPart));
  });
  return place;
}
