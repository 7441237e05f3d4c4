// This drive and this computer: keys, browsers, every setting, about.

import { bus, del, get, getAll, post } from '../api.js';
import { button, h, replace } from '../dom.js';
import { ago, size } from '../format.js';
import { complain, confirm, copyText, dialog, load, toast } from '../parts/feedback.js';
import { t } from '../strings.js';
import { askName, showKeys, words } from './keys.js';
import { facts } from './passes.js';
import { showTokens } from './tokens.js';

export function showSettings(main) {
  const place = h('div');
  const keys = h('section', { class: 'panel' });
  const sessions = h('section', { class: 'panel' });
  const tokens = h('section', { class: 'panel' });
  replace(main, h('header', { class: 'page-head' }, h('div', {}, h('h1', {}, t.pages.settings), h('p', { class: 'lead' }, t.settings.lead))), place,
    h('div', { class: 'columns' }, keys, words()), sessions, tokens, table());
  const stop = new AbortController();
  let name = null;
  const showAbout = () => load(place, () => get('/status'), (status) => {
    name = status.name;
    place.append(about(status));
  });
  bus.addEventListener('renamed', showAbout, { signal: stop.signal });
  // The answer to a new name may come before the status knows it, and others may rename this computer too.
  bus.addEventListener('status', ({ detail }) => { if (name !== null && detail.name !== name) showAbout(); }, { signal: stop.signal });
  showAbout();
  showKeys(keys);
  showSessions(sessions);
  showTokens(tokens);
  return () => stop.abort();
}

function about(status) {
  const drive = status.workspaces[0];
  const fact = (label, value) => [h('dt', {}, label), h('dd', {}, value)];
  const stop = () => confirm(t.settings.stop, t.settings.stopText, t.settings.stop, async () => {
    await post('/down');
    toast(t.settings.stopped);
  });
  return h('section', { class: 'panel' }, h('h2', {}, t.settings.drive), h('dl', {}, fact(t.settings.driveName, drive.name || '–'), fact(t.settings.mountpoint, drive.mountpoint ?? t.settings.notMounted),
    fact(t.settings.device, [status.name, ' ', button(t.settings.renameThis, { kind: 'link', onclick: () => askName(status) })]), fact(t.settings.deviceId, h('code', {}, status.device)), fact(t.settings.memory, status.rss_bytes === null ? '–' : size(status.rss_bytes)),
    fact(t.settings.version, `${t.name} ${status.version}, ${t.settings.licence}`)), h('div', { class: 'actions' }, button(t.settings.licences, { onclick: showLicences }), button(t.settings.stop, { kind: 'danger', onclick: stop })));
}

// Whose work is in the program.
function showLicences() {
  dialog(t.settings.licences, (body) => {
    const place = h('div');
    // Nothing in it takes the focus, and the keys must scroll it.
    body.tabIndex = 0;
    body.setAttribute('role', 'region');
    body.setAttribute('aria-label', t.settings.licences);
    body.append(h('p', {}, `${t.name}: `, button(t.settings.licence, { kind: 'link', onclick: () => showText('peerdrive', '') })), h('p', { class: 'hint' }, t.settings.licencesLead), place);
    const request = async () => (await textOf('/panel/licences.txt')).trim().split('\n').map((line) => /^(\S+) (\S+) (.*)$/.exec(line).slice(1));
    load(place, request, (rows) => place.append(facts(t.settings.licences, t.settings.licenceColumns, rows.map(([name, version, licence]) =>
      [name, version, button(licence, { kind: 'link', title: t.settings.licenceOf(name), onclick: () => showText(name, version) })]))));
  }, { wide: true });
}

// The text is fetched when it is asked for.
function showText(name, version) {
  dialog(t.settings.licenceOf(name), (body) => {
    const place = h('div', { class: 'stage' });
    body.append(place);
    const request = () => textOf(`/panel/licences/${encodeURIComponent(`${name} ${version}`.trim())}`);
    load(place, request, (text) => place.append(h('div', { class: 'text' }, h('pre', { tabindex: '0' }, text))));
  }, { wide: true });
}

async function textOf(address) {
  const response = await fetch(address);
  if (!response.ok) throw new Error(t.answered(response.status));
  return response.text();
}

function showSessions(place) {
  load(place, () => getAll('/sessions'), (list) => place.append(h('h2', {}, t.settings.sessions), h('ul', { class: 'versions' }, list.map((session) =>
    h('li', {}, h('div', {}, h('strong', {}, browserName(session.browser)), session.current ? h('span', { class: 'tag' }, t.settings.sessionThis) : null, session.scope === 'admin' ? null : h('span', { class: 'tag' }, t.tokens.scopes[session.scope]), h('div', { class: 'hint' }, t.settings.sessionUsed(ago(session.used) ?? t.justNow))),
      button(t.settings.signOut, { onclick: () => signOut(session, place) })))),
  h('p', { class: 'hint' }, t.settings.sessionsMore), h('div', { class: 'command' }, h('code', {}, t.signIn.command), button(t.copy, { icon: 'copy', onclick: () => copyText(t.signIn.command).catch(complain) }))));
}

async function signOut(session, place) {
  try {
    await del(`/sessions?id=${session.id}`);
    if (session.current) await get('/status');
    else showSessions(place);
  } catch (error) {
    if (error.status !== 401) complain(error);
  }
}

function browserName(text) {
  const known = [['Edg/', 'Edge'], ['OPR/', 'Opera'], ['Firefox/', 'Firefox'], ['Chrome/', 'Chrome'], ['Safari/', 'Safari']].find(([mark]) => text.includes(mark));
  const system = ['Windows', 'Mac OS', 'Android', 'Linux'].find((name) => text.includes(name));
  return known ? [known[1], system].filter(Boolean).join(', ') : text || '?';
}

// Those with a page of their own are told here and changed there; the others are changed here.
function table() {
  const place = h('section', { class: 'panel' });
  load(place, () => get('/settings'), (list) => place.append(h('h2', {}, t.settings.all), h('p', { class: 'hint' }, t.settings.allLead), rows(list)));
  return place;
}

function rows(list) {
  const known = new Map(list.map((setting) => [setting.key, setting]));
  return h('div', { class: 'scrolls', tabindex: '0', role: 'region', 'aria-label': t.settings.all }, h('table', { class: 'facts settings', role: 'table' },
    h('thead', { role: 'rowgroup' }, h('tr', { role: 'row' }, t.settings.allColumns.map((text) => h('th', { scope: 'col', role: 'columnheader' }, text)))),
    h('tbody', { role: 'rowgroup' }, t.settings.table.map(([key, does, normal]) => {
      const setting = known.get(key);
      return h('tr', { role: 'row' }, h('th', { scope: 'row', role: 'rowheader' }, h('code', {}, key)), h('td', { role: 'cell' }, does), h('td', { role: 'cell', 'data-label': t.settings.allColumns[2] }, normal),
        h('td', { role: 'cell' }, setting ? field(setting) : [t.settings.elsewhere, ' ', h('a', { href: '#/storage' }, t.pages.storage)]));
    }))));
}

function field(setting) {
  const choices = { truth: ['true', 'false'], metered: ['auto', 'true', 'false'], level: ['off', 'error', 'warn', 'info', 'debug', 'trace'] }[setting.kind];
  const shown = setting.value ?? (choices ? setting.default : '');
  const change = async (event) => {
    try {
      await post('/settings', { key: setting.key, value: event.target.value.trim() });
      toast(t.settings.nextStart);
    } catch (error) {
      complain(error);
    }
  };
  const about = { 'aria-label': setting.key, id: `set-${setting.key}`, onchange: change };
  if (!choices) return h('input', { ...about, value: shown, placeholder: setting.default, autocomplete: 'off', spellcheck: 'false' });
  return h('select', about, choices.map((choice) => h('option', { value: choice, selected: choice === shown }, choice)));
}
