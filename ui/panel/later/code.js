// Code in colours: comments, strings, numbers, keywords, names of values. It is an approximation that knows no grammar: a slash that
// begins a regular expression is a slash, and what stands in a template is part of it. It is fetched at the first preview of code. Whatever
// a file holds becomes text in spans, and every step goes over what it read for good: a hostile file takes no more than its length.

import { h } from '../dom.js';

// The rest of a longer text is shown without colours.
const COLOURED_CHARS = 64 << 10;
const INDENT_MAX_CHARS = 80;

const words = (text) => new Set(text.split(' '));
const C_FAMILY = 'break case catch class const continue default do else enum false final finally for if import new null private protected public return static super switch this throw true try void while';
const NUMBERS = 'bool char double float int long short unsigned signed';
const SLASHES = { line: ['//'], block: ['/*', '*/'], quotes: ['"', "'"] };

const LANGUAGES = [
  ['rs', { line: ['//'], block: ['/*', '*/'], quotes: ['"'], raw: /r(#{0,8})"/y, char: /'(?:\\[^\n]{1,9}?|[^\\'\n])'/y,
    keywords: 'as async await break const continue crate dyn else enum extern false fn for if impl in let loop match mod move mut pub ref return self Self static struct super trait true type unsafe use where while' }],
  ['py', { line: ['#'], quotes: ['"', "'"], long: ['"""', "'''"],
    keywords: 'False None True and as assert async await break class continue def del elif else except finally for from global if import in is lambda match nonlocal not or pass raise return try while with yield' }],
  ['js mjs cjs jsx ts tsx', { ...SLASHES, long: ['`'],
    keywords: `${C_FAMILY} any as async await boolean debugger declare delete export extends from function get implements in instanceof interface keyof let namespace never number of readonly set string type typeof undefined unknown var yield` }],
  ['c h cpp hpp cc cxx hh', { ...SLASHES, start: /#[ \t]*[a-z]+/y,
    keywords: `${C_FAMILY} ${NUMBERS} auto constexpr delete explicit extern friend goto inline namespace noexcept nullptr operator override sizeof struct template typedef typename union using virtual volatile` }],
  ['java kt cs swift', { ...SLASHES, long: ['"""'],
    keywords: `${C_FAMILY} ${NUMBERS} abstract as async await boolean byte extends fun func guard implements in instanceof interface internal is let namespace object override package readonly record sealed string struct synchronized throws using val var when where` }],
  ['go', { ...SLASHES, long: ['`'],
    keywords: `${NUMBERS} any break case chan const continue default defer else error fallthrough false for func go goto if import interface map nil package range return select string struct switch true type var` }],
  ['php', { line: ['//', '#'], block: ['/*', '*/'], quotes: ['"', "'"], keywords: `${C_FAMILY} abstract array as echo elseif extends fn foreach function global implements interface match namespace trait use var` }],
  ['rb', { line: ['#'], quotes: ['"', "'"], keywords: 'alias and begin break case class def do else elsif end ensure false for if in module next nil not or redo rescue retry return self super then true unless until when while yield' }],
  ['sh bash', { words: ['#'], quotes: ['"'], long: ["'"], literal: true, keywords: 'case do done elif else esac export fi for function if in local readonly return set shift then trap unset until while' }],
  ['json', { quotes: ['"'], value: /[ \t]*:/y, keywords: 'true false null' }],
  ['toml', { line: ['#'], quotes: ['"'], long: ['"""', "'''", "'"], literal: true, start: /\[{1,2}[^\]\n]{1,200}\]{1,2}|[\w.-]{1,200}(?=[ \t]{0,20}=)/y, keywords: 'true false' }],
  ['yaml yml', { words: ['#'], quotes: ['"', "'"], start: /(?:- ){0,8}[\w./-]{1,200}(?=:(?:\s|$))/y, keywords: 'true false null yes no' }],
  ['ini conf', { line: ['#', ';'], quotes: ['"'], start: /\[[^\]\n]{1,200}\]|[\w.-]{1,200}(?=[ \t]{0,20}=)/y, keywords: 'true false' }],
  ['css', { block: ['/*', '*/'], quotes: ['"', "'"], name: /[@\w-]+/y, value: /[ \t]*:[^:]/y, keywords: '@media @import @font-face @supports @keyframes @layer' }],
  ['sql', { line: ['--'], block: ['/*', '*/'], quotes: ["'", '"'], anyCase: true,
    keywords: 'add all alter and as asc begin between by case check column commit constraint create cross default delete desc distinct drop else end exists foreign from full group having in index inner insert into is join key left like limit not null on or order outer primary references returning right rollback select set table then union unique update values view when where with' }],
  ['html htm xml svg', { markup: true }],
];
const BY_ENDING = new Map(LANGUAGES.flatMap(([endings, rules]) => endings.split(' ').map((ending) => [ending, { ...rules, keywords: words(rules.keywords ?? '') }])));

const NAME = /[\p{L}_$][\p{L}\p{N}_$]*/uy;
const NUMBER = /\d[\w.]*%?/y;

// The nodes of a text, by the ending of the name it has; null for a language that is not known.
export function coloured(text, name) {
  const rules = BY_ENDING.get(name.slice(name.lastIndexOf('.') + 1).toLowerCase());
  if (!rules) return null;
  const head = text.slice(0, COLOURED_CHARS);
  const nodes = [];
  let plain = '';
  const flush = () => { if (plain) nodes.push(plain); plain = ''; };
  for (const [kind, part] of rules.markup ? markup(head) : code(head, rules)) {
    if (kind) {
      flush();
      nodes.push(h('span', { class: `code-${kind}` }, part));
    } else {
      plain += part;
    }
  }
  plain += text.slice(COLOURED_CHARS);
  flush();
  return nodes;
}

const matchAt = (pattern, text, at) => {
  pattern.lastIndex = at;
  return pattern.exec(text);
};
// Where what begins at `from` ends: behind the next `mark`, or with the text.
const behind = (text, mark, from) => {
  const found = text.indexOf(mark, from);
  return found < 0 ? text.length : found + mark.length;
};
// After nothing but blanks, and not too many of them.
function startsLine(text, at) {
  const before = text.slice(Math.max(0, at - INDENT_MAX_CHARS), at);
  const line = before.slice(before.lastIndexOf('\n') + 1);
  return line.trim() === '' && (line.length < before.length || at <= INDENT_MAX_CHARS);
}
const lineEnd = (text, from) => {
  const found = text.indexOf('\n', from);
  return found < 0 ? text.length : found;
};

function* code(text, rules) {
  for (let at = 0; at < text.length;) {
    const [kind, end] = partAt(text, at, rules);
    yield [kind, text.slice(at, end)];
    at = end;
  }
}

// What begins here, and where it ends.
function partAt(text, at, rules) {
  const begins = (mark) => text.startsWith(mark, at);
  if (rules.start && startsLine(text, at)) {
    const found = matchAt(rules.start, text, at);
    if (found) return ['value', at + found[0].length];
  }
  const startsWord = at === 0 || /\s/.test(text[at - 1]);
  if (rules.line?.some(begins) || (startsWord && rules.words?.some(begins))) return ['comment', lineEnd(text, at)];
  if (rules.block && begins(rules.block[0])) return ['comment', behind(text, rules.block[1], at + 2)];
  const raw = rules.raw && matchAt(rules.raw, text, at);
  if (raw) return ['string', behind(text, `"${raw[1]}`, at + raw[0].length)];
  const long = rules.long?.find(begins);
  if (long) return ['string', rules.literal ? behind(text, long, at + long.length) : closed(text, long, at + long.length, true)];
  const quote = rules.quotes?.find(begins);
  if (quote) {
    const end = closed(text, quote, at + 1, rules.literal);
    return [rules.value && matchAt(rules.value, text, end) ? 'value' : 'string', end];
  }
  const char = rules.char && matchAt(rules.char, text, at);
  if (char) return ['string', at + char[0].length];
  const number = matchAt(NUMBER, text, at);
  if (number) return ['number', at + number[0].length];
  const name = matchAt(rules.name ?? NAME, text, at);
  if (!name) return [null, at + 1];
  const end = at + name[0].length;
  if (rules.keywords.has(rules.anyCase ? name[0].toLowerCase() : name[0])) return ['keyword', end];
  return [rules.name && rules.value && matchAt(rules.value, text, end) ? 'value' : null, end];
}

// The end of a string: behind its mark that no backslash precedes, or with the line where it may not go on.
function closed(text, mark, from, overLines) {
  for (let at = from; at < text.length; at += 1) {
    if (text[at] === '\\') at += 1;
    else if (text.startsWith(mark, at)) return at + mark.length;
    else if (text[at] === '\n' && !overLines) return at;
  }
  return text.length;
}

const TAG = /<[/!?]?[A-Za-z][\w:.-]*/y;
const OUTSIDE = /[^<]+|</y;
const INSIDE = /[\w:.-]+|"[^"]*"?|'[^']*'?|[^\w:.>"'-]+|-/y;

function* markup(text) {
  let inTag = false;
  for (let at = 0; at < text.length;) {
    let [kind, end] = [null, at + 1];
    if (inTag) {
      inTag = text[at] !== '>';
      const part = inTag ? matchAt(INSIDE, text, at)?.[0] ?? text[at] : '>';
      kind = !inTag ? 'keyword' : /^["']/.test(part) ? 'string' : /^\w/.test(part) ? 'value' : null;
      end = at + part.length;
    } else if (text.startsWith('<!--', at)) {
      [kind, end] = ['comment', behind(text, '-->', at + 4)];
    } else {
      const tag = matchAt(TAG, text, at);
      inTag = tag !== null;
      kind = tag ? 'keyword' : null;
      end = at + (tag ?? matchAt(OUTSIDE, text, at))[0].length;
    }
    yield [kind, text.slice(at, end)];
    at = end;
  }
}
