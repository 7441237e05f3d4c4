// A list that is told in parts: the first of them, and a button for the next.

import { getPart } from '../api.js';
import { button, h, replace } from '../dom.js';
import { t } from '../strings.js';
import { complain, load } from './feedback.js';

// `draw(entries)` shows what was told so far.
export function inParts(place, route, { limit, signal }, draw) {
  const entries = [];
  // A part may be empty though others follow: the time to look for it was over.
  const ask = async (after) => {
    let part = await getPart(route, limit, after, signal);
    while (part.entries.length === 0 && part.next !== null) part = await getPart(route, limit, part.next, signal);
    return part;
  };
  const show = (part) => {
    entries.push(...part.entries);
    replace(place, draw(entries), part.next === null ? null : h('div', { class: 'actions' }, more(part.next)));
  };
  const more = (after) => button(t.more, { onclick: (event) => {
    event.currentTarget.disabled = true;
    ask(after).then(show).catch((error) => { if (error.name !== 'AbortError') complain(error); });
  } });
  return load(place, () => ask(null), show);
}
