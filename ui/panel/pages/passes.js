// What reading everything found: the pass under way here, those that came to their end, and those of the other computers.

import { h } from '../dom.js';
import { moment, number, percent, size } from '../format.js';
import { t } from '../strings.js';

// A table; the first cell of each row names it. On a phone each row stands by itself, and its cells say what they are: as blocks
// they are a table by their roles alone.
export function facts(label, columns, rows, id = null) {
  return h('table', { class: 'facts', role: 'table', 'aria-label': label, id },
    h('thead', { role: 'rowgroup' }, h('tr', { role: 'row' }, columns.map((text) => h('th', { scope: 'col', role: 'columnheader' }, text)))),
    h('tbody', { role: 'rowgroup' }, rows.map(([first, ...others]) => h('tr', { role: 'row' }, h('th', { scope: 'row', role: 'rowheader' }, first),
      others.map((value, at) => h('td', { role: 'cell', 'data-label': value === '' ? null : columns[at + 1] }, value))))));
}

export function passesOf({ scrub: pass, damaged_chunks: damaged, healed_chunks: healed }) {
  const fact = (label, value) => [h('dt', {}, label), h('dd', {}, value)];
  if (pass.every_s === 0) return [h('p', { class: 'hint' }, t.health.passOff), earlier(pass.passes)];
  const now = pass.began === null ? t.health.passRests : t.health.passNow(moment(pass.began), percent(pass.checked_bytes, pass.total_bytes), size(pass.checked_bytes), pass.bad_chunks, pass.waits);
  return [h('p', { class: 'hint' }, t.health.passLead(pass.every_s)), h('dl', { id: 'passes' },
    fact(t.health.passLast, pass.last === null ? t.health.passNone : t.health.passEnded(moment(pass.last), size(pass.last_bytes), pass.last_bad_chunks)),
    fact(t.health.passUnderWay, now), fact(t.health.passState, t.health.damagedAndHealed(damaged, healed))), earlier(pass.passes)];
}

// The last one alone is told above, unless a person started it.
function earlier(passes) {
  if (passes.length < 2 && !passes.some((pass) => pass.by_hand)) return null;
  return [h('h3', {}, t.health.passHistory), facts(t.health.passHistory, t.health.passColumns, passes.map((pass) => [moment(pass.ended), t.health.passHow(pass.by_hand), size(pass.bytes), found(pass.bad_chunks)]), 'pass-history')];
}

// What the other computers say of their own reading; one that says nothing runs an older release, or was not here since the start.
export function theirPasses(peers) {
  const rows = peers.map(({ name, scrub }) => {
    if (scrub === null) return [name, t.health.theirsUnknown, '', ''];
    const last = scrub.last !== null ? `${moment(scrub.last)}, ${size(scrub.last_bytes)}` : scrub.every_s === 0 ? t.health.theirsOff : t.health.passNone;
    return [name, last, scrub.last === null ? '' : found(scrub.last_bad_chunks), t.health.theirsNow(scrub.damaged_chunks, scrub.healed_chunks)];
  });
  return [h('h3', {}, t.health.theirs), facts(t.health.theirs, t.health.theirColumns, rows, 'their-passes')];
}

const found = (bad) => (bad === 0 ? t.health.found(0) : h('strong', { class: 'wrong' }, t.health.found(bad)));
