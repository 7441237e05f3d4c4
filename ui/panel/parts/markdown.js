// Markdown as a page: headings, lists, quotes, code, emphasis, links. Whatever else a text holds stays text: elements are made one by
// one, and nothing is ever read as HTML. Images are not fetched.

import { h } from '../dom.js';

// Deeper quotes and lists are text.
const DEPTH_MAX = 8;
// Other kinds of links are shown and lead nowhere.
const LINKS = /^(https?:|mailto:)/i;
// No part of it reads on beyond the next mark of its own kind: or a hostile text would take a square of its length.
const INLINE = /`([^`]+)`|\*\*([^*]+)\*\*|__([^_]+)__|\*([^*\s][^*]*)\*|\b_([^_\s][^_]*)_\b|!?\[([^\][]*)\]\(([^()\s]+)\)/g;

export const markdown = (text) => h('article', { class: 'markdown', tabindex: '0' }, blocks(text.replace(/\r\n?/g, '\n').split('\n'), 0));

function blocks(lines, depth) {
  const made = [];
  for (let at = 0; at < lines.length;) {
    const [block, used] = blockAt(lines, at, depth);
    if (block) made.push(block);
    at += used;
  }
  return made;
}

// The block that begins at a line, and how many lines it has.
function blockAt(lines, at, depth) {
  const line = lines[at];
  if (line.trim() === '') return [null, 1];
  const fence = /^\s{0,3}(```+|~~~+)/.exec(line)?.[1];
  if (fence) return fenced(lines, at, fence);
  const heading = /^\s{0,3}(#{1,6})\s+(.*)$/.exec(line);
  // The name of the file is the page's heading of the second level.
  if (heading) return [h(`h${Math.min(6, heading[1].length + 2)}`, {}, inline(withoutMarks(heading[2]))), 1];
  if (/^\s{0,3}([-*_])(\s*\1){2,}\s*$/.test(line)) return [h('hr'), 1];
  if (depth < DEPTH_MAX && /^\s{0,3}>/.test(line)) return quoted(lines, at, depth);
  if (depth < DEPTH_MAX && ITEM.test(line)) return listed(lines, at, depth);
  return paragraph(lines, at);
}

// A heading may end in marks as it began.
function withoutMarks(text) {
  let end = text.length;
  while (end > 0 && text[end - 1] === '#') end -= 1;
  return text.slice(0, end).trimEnd();
}

const ITEM = /^(\s{0,3})([-*+]|\d{1,9}[.)])\s+/;
const run = (lines, at, belongs) => {
  let end = at + 1;
  while (end < lines.length && belongs(lines[end])) end += 1;
  return end;
};

function fenced(lines, at, fence) {
  const end = run(lines, at, (line) => !line.trimStart().startsWith(fence));
  return [h('pre', {}, h('code', {}, lines.slice(at + 1, end).join('\n'))), end - at + 1];
}

function quoted(lines, at, depth) {
  const end = run(lines, at, (line) => /^\s{0,3}>/.test(line));
  return [h('blockquote', {}, blocks(lines.slice(at, end).map((line) => line.replace(/^\s{0,3}> ?/, '')), depth + 1)), end - at];
}

function listed(lines, at, depth) {
  const numbered = /\d/.test(ITEM.exec(lines[at])[2]);
  const items = [];
  let next = at;
  while (next < lines.length && ITEM.test(lines[next]) && /\d/.test(ITEM.exec(lines[next])[2]) === numbered) {
    const width = ITEM.exec(lines[next])[0].length;
    const end = run(lines, next, (line) => line.trim() !== '' && (/^\s{2,}/.test(line) || !ITEM.test(line)));
    items.push([lines[next].slice(width), ...lines.slice(next + 1, end).map((line) => line.replace(/^\s{2,4}/, ''))]);
    next = end;
    while (next < lines.length && lines[next].trim() === '' && ITEM.test(lines[next + 1] ?? '')) next += 1;
  }
  return [h(numbered ? 'ol' : 'ul', {}, items.map((item) => h('li', {}, item.length === 1 ? inline(item[0]) : blocks(item, depth + 1)))), next - at];
}

function paragraph(lines, at) {
  const end = run(lines, at, (line) => line.trim() !== '' && !/^\s{0,3}(#{1,6}\s|>|```|~~~)/.test(line) && !ITEM.test(line));
  return [h('p', {}, inline(lines.slice(at, end).join('\n'))), end - at];
}

function inline(text) {
  const made = [];
  let from = 0;
  for (const match of text.matchAll(INLINE)) {
    const [whole, code, strong, bold, soft, italic, words, target] = match;
    made.push(text.slice(from, match.index), code !== undefined ? h('code', {}, code)
      : strong ?? bold ? h('strong', {}, inline(strong ?? bold))
        : soft ?? italic ? h('em', {}, inline(soft ?? italic)) : link(whole, words, target));
    from = match.index + whole.length;
  }
  return [...made, text.slice(from)];
}

const link = (whole, words, target) => (whole.startsWith('!') || !LINKS.test(target) ? whole : h('a', { href: target, target: '_blank', rel: 'noopener noreferrer' }, words || target));
