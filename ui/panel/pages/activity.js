// What happened, and what is on its way.

import { bus, getPart, state } from '../api.js';
import { button, h, replace } from '../dom.js';
import { dayOf, timeOf } from '../format.js';
import { complain, load, notice } from '../parts/feedback.js';
import { Forecast } from '../parts/forecast.js';
import { speedOf } from '../parts/speeds.js';
import { t } from '../strings.js';
import { nameOf } from './details.js';
import { deeds, inWords } from './steps.js';

const LINES = 100;
const REFRESH_MS = 1000;

export function showActivity(main) {
  const stop = new AbortController();
  const transfers = h('section', { class: 'panel', hidden: true });
  const place = h('div');
  // The newest part is read again when something happens; what was asked for besides stays.
  let [newest, older, ends] = [[], [], false];
  let soon = null;
  let inSteps = false;
  replace(main, h('header', { class: 'page-head' }, h('div', {}, h('h1', {}, t.pages.activity), h('p', { class: 'lead' }, t.activity.lead))), transfers, place);
  const request = () => getPart('/log', LINES, null, stop.signal);
  const draw = () => {
    const known = new Set(newest.map((line) => line.id));
    const lines = [...newest, ...older.filter((line) => !known.has(line.id))];
    if (lines.length === 0) return replace(place, notice('activity', t.activity.none, t.activity.noneHint));
    const told = inSteps ? lines.map((line) => ({ ...line, deed: inWords(line), times: 1 })) : deeds(lines);
    const turn = () => { inSteps = !inSteps; draw(); place.querySelector('[aria-pressed]').focus(); };
    replace(place, byDay(told), h('div', { class: 'actions' }, ends ? null : button(t.more, { onclick: () => more(lines).catch(complain) }),
      button(t.activity.steps, { kind: 'quiet', 'aria-pressed': String(inSteps), onclick: turn })));
  };
  const show = ({ entries: lines, next }) => {
    // More may have happened meanwhile than one part holds: then the list begins anew rather than with a gap.
    const goesOn = newest.length === 0 || lines.some((line) => line.id === newest[0].id);
    if (goesOn) older = [...newest.filter((line) => !lines.some((one) => one.id === line.id)), ...older];
    if (!goesOn) older = [];
    if (!goesOn || newest.length === 0) ends = next === null;
    newest = lines;
    draw();
  };
  const more = async (lines) => {
    const part = await getPart('/log', LINES, lines.at(-1).id, stop.signal);
    older = [...lines.slice(newest.length), ...part.entries];
    ends = part.next === null;
    draw();
  };
  load(place, request, show);
  bus.addEventListener('tree', () => {
    if (soon) return;
    soon = setTimeout(() => { soon = null; request().then(show).catch(() => {}); }, REFRESH_MS);
  }, { signal: stop.signal });
  bus.addEventListener('status', () => showTransfers(transfers), { signal: stop.signal });
  showTransfers(transfers);
  return () => { stop.abort(); clearTimeout(soon); };
}

// Who is told where there is more than one.
function byDay(lines) {
  const many = new Set(lines.map((line) => line.user)).size > 1;
  const days = Map.groupBy ? Map.groupBy(lines, (line) => dayOf(line.time)) : grouped(lines);
  return [...days].map(([day, some]) => h('section', { class: 'day' }, h('h2', {}, day), h('ul', { class: 'log' }, some.map((line) =>
    h('li', {}, h('time', { datetime: line.time }, timeOf(line.time)), h('span', {}, h('strong', {}, many && line.user ? t.activity.by(line.user, nameOf(line.device)) : nameOf(line.device)), ` ${line.deed}`, line.times > 1 ? h('span', { class: 'hint' }, ` ${t.activity.times(line.times)}`) : null, line.path ? h('div', { class: 'hint' }, line.path) : null))))));
}

function grouped(lines) {
  const days = new Map();
  for (const line of lines) {
    const day = dayOf(line.time);
    if (!days.has(day)) days.set(day, []);
    days.get(day).push(line);
  }
  return days;
}

// By device.
const forecasts = new Map();

function leftOf(peer) {
  if (!forecasts.has(peer.device)) forecasts.set(peer.device, new Forecast());
  return forecasts.get(peer.device).left(peer.outstanding_chunks);
}

function showTransfers(place) {
  const busy = (state.status?.peers ?? []).filter((peer) => peer.outstanding_chunks > 0 || peer.behind > 0);
  place.hidden = busy.length === 0;
  replace(place, h('h2', {}, t.activity.transfers), h('ul', { class: 'shares' }, busy.map((peer) => h('li', {}, h('strong', {}, peer.name),
    h('span', { class: 'hint' }, [speedOf(peer.device), timeLeft(peer), peer.outstanding_chunks > 0 && t.devices.chunks(peer.outstanding_chunks), peer.behind > 0 && t.devices.behind(peer.behind)].filter(Boolean).join(' · '))))));
}

function timeLeft(peer) {
  const seconds = leftOf(peer);
  return seconds !== null && peer.outstanding_chunks > 0 ? t.activity.left(seconds) : null;
}
