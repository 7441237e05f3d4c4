// Other limits at some hours of the week. They hold at once, and are kept.

import { get, post } from '../api.js';
import { button, h, replace } from '../dom.js';
import { parseSize, size, weekday } from '../format.js';
import { load, toast } from '../parts/feedback.js';
import { t } from '../strings.js';

const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'];
// What is proposed: the hours of work.
const PROPOSED = { days: DAYS.slice(0, 5), from: '08:00', to: '18:00', up: 1 << 20, down: null };
// What the daemon takes.
const SPANS_MAX = 64;

// `changed` is called when other limits hold.
export function hours(signal, changed) {
  const place = h('section', { class: 'panel' });
  load(place, () => get('/hours', signal), (spans) => place.append(form(spans, changed)));
  return place;
}

function form(spans, changed) {
  let rows = spans.map(row);
  const list = h('div');
  const wrong = h('p', { class: 'wrong', role: 'alert' });
  const add = button(t.hours.add, { icon: 'plus', onclick: () => { rows.push(row(PROPOSED)); draw(); list.lastChild.querySelector('input').focus(); } });
  const draw = () => {
    replace(list, rows.length === 0 ? h('p', { class: 'hint' }, t.hours.none) : rows.map((one, at) => one.element(at + 1, () => { rows = rows.filter((other) => other !== one); draw(); add.focus(); })));
    add.disabled = rows.length >= SPANS_MAX;
  };
  const submit = async (event) => {
    event.preventDefault();
    wrong.textContent = '';
    const wanted = rows.map((one) => one.span());
    const bad = wanted.findIndex((span) => span === null);
    if (bad >= 0) {
      wrong.textContent = t.hours.wrong(bad + 1);
      return;
    }
    try {
      rows = (await post('/hours', { hours: wanted })).map(row);
      draw();
      toast(t.hours.saved);
      changed();
    } catch (error) {
      wrong.textContent = error.message;
    }
  };
  draw();
  return h('form', { onsubmit: submit, id: 'hours' }, h('h2', {}, t.hours.title), h('p', { class: 'hint' }, t.hours.lead), list, wrong,
    h('div', { class: 'actions' }, add, h('button', { class: 'button primary', type: 'submit' }, t.save)));
}

function row(span) {
  const days = DAYS.map((day, at) => [day, h('input', { type: 'checkbox', checked: span.days.includes(day) }), weekday(at)]);
  // A day ends where the next begins; the field for a time knows no 24:00.
  const clock = (value) => h('input', { type: 'time', required: true, value: value === '24:00' ? '00:00' : value });
  const limit = (bytes) => h('input', { value: bytes === null ? '' : bytes === 0 ? t.hours.off : size(bytes), placeholder: t.hours.usual, autocomplete: 'off' });
  const [from, to, up, down] = [clock(span.from), clock(span.to), limit(span.up), limit(span.down)];
  const field = (label, input) => h('label', {}, h('span', {}, label), input);
  const element = (at, remove) => h('fieldset', { class: 'span' }, h('legend', { class: 'unseen' }, t.hours.span(at)),
    h('div', { class: 'days' }, days.map(([, input, name]) => h('label', {}, input, name))),
    h('div', { class: 'limits' }, field(t.hours.from, from), field(t.hours.to, to), field(t.hours.up, up), field(t.hours.down, down), button(t.hours.remove(at), { icon: 'close', kind: 'bare', onclick: remove })));
  return { element, span: () => read(days.filter(([, input]) => input.checked).map(([day]) => day), from.value, to.value, [up, down].map((input) => limitOf(input.value))) };
}

// What the daemon is asked for; null where a limit is no size.
function read(days, from, to, [up, down]) {
  return up === undefined || down === undefined ? null : { days, from, to, up, down };
}

// Bytes per second; 0: none; null: as at other hours; undefined: that is no limit.
function limitOf(text) {
  const written = text.trim().toLowerCase();
  if (written === '') return null;
  return written === t.hours.off || written === 'off' ? 0 : parseSize(written.replace(/\/s$/, '')) ?? undefined;
}
