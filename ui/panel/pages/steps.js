// The log has every step; people ask what was done. Here steps that make up one deed are told as one.

import { t } from '../strings.js';

// An upload is a file of this name until it is whole.
const PARTIAL = /«\.[^»]*\.partial»|«trusted\.peerdrive\.partial»/;
const WROTE = /^wrote \d+ bytes$/;
const MADE = /^made the file /;

const sameHand = (one, other) => one.device === other.device && one.user === other.user;
const isUpload = (line) => PARTIAL.test(line.what);

// Lines as the log has them, newest first; each that is left has `deed`, its words.
export function deeds(lines) {
  const told = [];
  const before = beforeOnPath(lines);
  const folded = new Set();
  for (let at = 0; at < lines.length; at += 1) {
    const [line, older, newer] = [lines[at], lines[at + 1], told.at(-1)];
    if (isUpload(line) || folded.has(at)) continue;
    // What went into an upload that is whole or gone meanwhile has no path any more.
    if (!line.path && WROTE.test(line.what) && older && isUpload(older) && sameHand(line, older)) continue;
    const made = WROTE.test(line.what) && line.path ? before[at] : undefined;
    const added = made !== undefined && MADE.test(lines[made].what) && sameHand(line, lines[made]);
    const deed = added ? t.activity.added(bytesOf(line)) : inWords(line);
    if (newer && newer.deed === deed && newer.path === line.path && sameHand(newer, line)) newer.times += 1;
    else told.push({ ...line, deed, times: 1 });
    if (added) folded.add(made);
  }
  return told;
}

// For each line the place of the next older one of the same path, as many files are often made before they are written.
function beforeOnPath(lines) {
  const last = new Map();
  const before = [];
  for (let at = lines.length - 1; at >= 0; at -= 1) {
    before[at] = last.get(lines[at].path);
    last.set(lines[at].path, at);
  }
  return before;
}

const bytesOf = (line) => Number(/\d+/.exec(line.what)[0]);

// The log counts in bytes; people do not. A name that the path shows is not said twice.
export function inWords(line) {
  const name = line.path?.split('/').at(-1);
  return WROTE.test(line.what) ? t.activity.wrote(bytesOf(line)) : line.what.replace(` «${name}»`, '');
}
