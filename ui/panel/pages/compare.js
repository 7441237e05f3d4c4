// Two versions of a file side by side: texts line by line with what differs marked, all else as it looks.

import { contentUrl } from '../api.js';
import { h, replace } from '../dom.js';
import { moment, size } from '../format.js';
import { kindOf } from '../kinds.js';
import { dialog } from '../parts/feedback.js';
import { t } from '../strings.js';
import { stageOf } from './preview.js';

// Longer texts are shown beside each other, unmarked.
const TEXT_BYTES = 256 << 10;
// Lines that differ, on the one side times on the other, that are looked at for what they have in common.
const CELLS_MAX = 4 << 20;

// `older` and `newer` are versions as the history has them.
export function showCompare(entry, older, newer) {
  dialog(t.details.compareTitle(entry.name), (body) => {
    const place = h('div', {}, h('p', { class: 'loading', role: 'status' }, t.loading));
    body.append(place);
    const texts = kindOf(entry.name) === 'text' && Math.max(older.size, newer.size) <= TEXT_BYTES;
    if (!texts) return replace(place, beside(entry, older, newer));
    Promise.all([older, newer].map((version) => textOf(entry, version)))
      .then(([before, after]) => replace(place, marked(older, newer, differences(before, after))))
      .catch(() => replace(place, h('p', { class: 'wrong', role: 'alert' }, t.preview.failed)));
  }, { wide: true });
}

async function textOf(entry, version) {
  const response = await fetch(contentUrl(entry.path, false, version.id));
  if (!response.ok) throw new Error(response.status);
  return (await response.text()).split('\n');
}

const headOf = (version) => `${moment(version.time)}, ${size(version.size)}`;

function beside(entry, ...versions) {
  return h('div', { class: 'conflict' }, h('div', { class: 'beside' }, versions.map((version) =>
    h('section', { class: 'side-version' }, h('p', {}, h('strong', {}, headOf(version))), stageOf({ name: entry.name, path: entry.path, size: version.size, version: version.id })))));
}

// `rows`: pairs of lines; null where a side has none. A line that is on one side alone is marked there.
function marked(older, newer, rows) {
  const changed = rows.filter(([before, after]) => before === null || after === null).length;
  const cells = sideBySide(rows).map(([before, after, same]) => [
    before === null ? h('span', {}) : h(same ? 'span' : 'del', {}, before),
    after === null ? h('span', {}) : h(same ? 'span' : 'ins', {}, after)]);
  return [h('p', { class: 'hint', role: 'status' }, t.details.differ(changed)),
    h('div', { class: 'diff', tabindex: '0', role: 'region', 'aria-label': t.details.compare }, h('strong', {}, headOf(older)), h('strong', {}, headOf(newer)), cells)];
}

// What took the place of something stands beside it: [before, after, whether they are the same].
function sideBySide(rows) {
  const told = [];
  let [gone, come] = [[], []];
  const tell = () => {
    for (let at = 0; at < Math.max(gone.length, come.length); at += 1) told.push([gone[at] ?? null, come[at] ?? null, false]);
    [gone, come] = [[], []];
  };
  for (const [before, after] of rows) {
    if (after === null) gone.push(before);
    else if (before === null) come.push(after);
    else {
      tell();
      told.push([before, after, true]);
    }
  }
  tell();
  return told;
}

// Pairs of lines, the longest common sequence on both sides.
export function differences(before, after) {
  let start = 0;
  while (start < before.length && start < after.length && before[start] === after[start]) start += 1;
  let end = 0;
  while (end < before.length - start && end < after.length - start && before.at(-1 - end) === after.at(-1 - end)) end += 1;
  const same = (lines) => lines.map((line) => [line, line]);
  const middle = [before, after].map((lines) => lines.slice(start, lines.length - end));
  return [...same(before.slice(0, start)), ...between(...middle), ...same(before.slice(before.length - end))];
}

function between(before, after) {
  const width = after.length + 1;
  const all = () => [...before.map((line) => [line, null]), ...after.map((line) => [null, line])];
  if (before.length * after.length > CELLS_MAX) return all();
  // Longest common sequence of what is behind each pair of places.
  const longest = new Uint32Array((before.length + 1) * width);
  for (let one = before.length - 1; one >= 0; one -= 1) {
    for (let other = after.length - 1; other >= 0; other -= 1) {
      const at = one * width + other;
      longest[at] = before[one] === after[other] ? longest[at + width + 1] + 1 : Math.max(longest[at + width], longest[at + 1]);
    }
  }
  const rows = [];
  for (let [one, other] = [0, 0]; one < before.length || other < after.length;) {
    const at = one * width + other;
    if (one < before.length && other < after.length && before[one] === after[other]) rows.push([before[one++], after[other++]]);
    else if (other >= after.length || (one < before.length && longest[at + width] >= longest[at + 1])) rows.push([before[one++], null]);
    else rows.push([null, after[other++]]);
  }
  return rows;
}
