// The drive: folders and files.

import { bus, decode, get, inside, parentOf, state } from '../api.js';
import { button, h, icon, replace } from '../dom.js';
import { byName } from '../format.js';
import { complain, notice, toast } from '../parts/feedback.js';
import { VirtualList } from '../parts/virtual_list.js';
import { t } from '../strings.js';
import { add, dropped } from '../uploads.js';
import { actionsMenu, askMove, askNewFolder, askRename, remove } from './changes.js';
import { showDetails } from './details.js';
import { entryRow, entryTile } from './entries.js';
import { Finder } from './finder.js';
import { showPreview } from './preview.js';
import { startSteps } from './start.js';

const PAGE_ENTRIES = 2000;
const REFRESH_MS = 700;
// A file that was on its way between two statuses, which then count the same, is told by neither.
const ON_ITS_WAY_MS = 2500;
const ROW_HEIGHT = { wide: 48, narrow: 68, tiles: 168 };
const TILE_WIDTH = 162;
const SHOWN_AS = 'drive shown as';

export function showDrive(main, path) {
  const folder = path === '' ? '/' : path;
  const page = new Folder(main, folder);
  page.open();
  return () => page.close();
}

class Folder {
  constructor(main, folder) {
    this.main = main;
    this.folder = folder;
    this.entries = [];
    this.selected = new Set();
    this.sort = { by: 'name', down: false };
    this.showsHidden = false;
    this.asGrid = localStorage.getItem(SHOWN_AS) === 'grid';
    // What is in sight, in order.
    this.items = [];
    this.stop = new AbortController();
    this.finder = new Finder(this);
  }

  open() {
    const on = (name, act) => bus.addEventListener(name, act, { signal: this.stop.signal });
    on('tree', () => this.refreshSoon());
    on('status', ({ detail }) => { this.showStart(); this.refreshIfSafety(detail.workspaces[0]); });
    on('uploaded', () => this.refreshSoon());
    this.picker = h('input', { type: 'file', multiple: true, hidden: true, id: 'picker', onchange: () => this.picked() });
    this.search = h('input', { type: 'search', placeholder: t.drive.search, 'aria-label': t.drive.search, id: 'search', oninput: () => this.finder.soon() });
    this.bar = h('div', { class: 'selection-bar', hidden: true });
    this.body = h('div', { class: 'folder' });
    this.foot = h('p', { class: 'foot' });
    this.start = h('div');
    this.tiles = new VirtualList(this.main, ROW_HEIGHT.tiles, (entries) => this.tileRow(entries));
    this.form = h('span');
    addEventListener('resize', () => {
      this.list.resize(rowHeight());
      if (this.asGrid) this.table(this.items);
    }, { signal: this.stop.signal });
    this.list = new VirtualList(this.main, rowHeight(), (entry) => entryRow(this, entry));
    replace(this.main,
      h('header', { class: 'page-head' }, this.crumbs(), h('div', { class: 'tools' },
        h('label', { class: 'search' }, icon('search'), this.search),
        this.form,
        button(t.drive.newFolder, { icon: 'plus', onclick: () => askNewFolder(this) }),
        button(t.drive.upload, { icon: 'upload', kind: 'primary', onclick: () => this.picker.click() }),
        this.picker)),
      this.start, this.bar, this.body, this.foot);
    // What is listed from here on is at least as new as this.
    this.safety = safetyOf(state.status?.workspaces[0]);
    this.acceptDrops();
    this.offerForm();
    this.load();
  }

  close() {
    this.stop.abort();
    this.list.close();
    this.tiles.close();
    clearTimeout(this.soon);
    clearTimeout(this.later);
    this.finder.close();
  }

  crumbs() {
    const parts = this.folder.split('/').filter(Boolean);
    const links = parts.map((part, at) => {
      const here = at === parts.length - 1;
      const to = `/${parts.slice(0, at + 1).join('/')}`;
      const name = decode(part);
      return here ? h('h1', { 'aria-current': 'page' }, name) : h('a', { href: `#/drive${to}` }, name);
    });
    const root = parts.length === 0 ? h('h1', {}, t.drive.root) : h('a', { href: '#/drive' }, t.drive.root);
    return h('nav', { class: 'crumbs', 'aria-label': t.drive.root }, root, links.map((link) => [h('span', { 'aria-hidden': 'true' }, '/'), link]));
  }

  async load() {
    const first = this.entries.length === 0;
    const slow = first ? setTimeout(() => replace(this.body, h('p', { class: 'loading', role: 'status' }, t.loading)), 150) : 0;
    try {
      const entries = [];
      for (let after = '0'; after !== null;) {
        const part = await get(`/files?path=${this.folder}&limit=${PAGE_ENTRIES}&after=${after}`, this.stop.signal);
        entries.push(...part.entries);
        after = part.next;
        // The first rows are there while the rest still comes.
        if (first) this.show(entries);
      }
      clearTimeout(slow);
      this.show(entries);
    } catch (error) {
      clearTimeout(slow);
      if (error.name === 'AbortError' || error.status === 401) return;
      // What is shown stays, when only a refresh failed.
      if (!first && error.status !== 404) return;
      if (state.status?.workspaces[0]?.blind) replace(this.body, notice('shield', t.drive.blind, t.drive.blindHint));
      else replace(this.body, notice('alert', t.drive.unreadable, error.message, button(t.retry, { onclick: () => this.load() })));
    }
  }

  // How safe files are changes without any change of the tree: when the copies have arrived, or a computer has gone.
  refreshIfSafety(drive) {
    const now = safetyOf(drive);
    if (now !== this.safety) this.refreshSoon();
    this.safety = now;
  }

  refreshSoon() {
    if (this.soon || this.search.value.trim()) return;
    this.soon = setTimeout(() => {
      this.soon = null;
      this.load();
    }, REFRESH_MS);
  }

  show(entries) {
    this.entries = entries;
    clearTimeout(this.later);
    if (entries.some((entry) => entry.state === 'on_its_way')) this.later = setTimeout(() => this.refreshSoon(), ON_ITS_WAY_MS);
    // What was found stays, though the folder was being read when the search began.
    if (this.search.value.trim()) return;
    const isHidden = (entry) => entry.name.startsWith('.') && !entry.partial;
    const hidden = entries.filter(isHidden).length;
    const shown = sorted(this.showsHidden ? entries : entries.filter((entry) => !isHidden(entry)), this.sort);
    this.selected = new Set([...this.selected].filter((path) => shown.some((entry) => entry.path === path)));
    this.fill(shown, hidden);
    this.showStart();
  }

  fill(shown, hidden) {
    if (shown.length === 0) {
      this.items = [];
      replace(this.body, notice('folder', t.drive.empty, t.drive.emptyHint));
    } else {
      this.table(shown);
    }
    const toggle = hidden > 0 ? h('button', { type: 'button', class: 'link', onclick: () => { this.showsHidden = !this.showsHidden; this.show(this.entries); } },
      this.showsHidden ? t.drive.hide : t.drive.show) : null;
    replace(this.foot, shown.length > 0 ? t.drive.items(shown.length) : null, toggle ? [' · ', t.drive.hidden(hidden), ' ', toggle] : null);
    this.showBar();
  }

  offerForm() {
    replace(this.form, button(this.asGrid ? t.drive.asList : t.drive.asGrid, { icon: this.asGrid ? 'list' : 'grid', kind: 'bare', onclick: () => {
      this.asGrid = !this.asGrid;
      localStorage.setItem(SHOWN_AS, this.asGrid ? 'grid' : 'list');
      this.offerForm();
      this.form.firstChild.focus();
      if (this.items.length > 0) this.table(this.items);
    } }));
  }

  table(items) {
    this.items = items;
    if (this.asGrid) this.showTiles(items);
    else this.showTable(items);
  }

  showTiles(items) {
    if (this.body.firstChild?.firstChild !== this.tiles.element) replace(this.body, h('div', { class: 'table as-grid' }, this.tiles.element));
    this.tiles.element.removeAttribute('role');
    const columns = Math.max(2, Math.floor(this.body.clientWidth / TILE_WIDTH));
    const rows = [];
    for (let at = 0; at < items.length; at += columns) rows.push(items.slice(at, at + columns));
    this.columns = columns;
    this.tiles.set(rows);
  }

  tileRow(entries) {
    const row = h('div', { class: 'tile-row' }, entries.map((entry) => entryTile(this, entry)));
    row.style.gridTemplateColumns = `repeat(${this.columns}, minmax(0, 1fr))`;
    return row;
  }

  showTable(items) {
    const head = (by, kind = '') => h('div', { role: 'columnheader', class: `cell ${kind}`, 'aria-sort': this.sort.by !== by ? 'none' : this.sort.down ? 'descending' : 'ascending' },
      h('button', { type: 'button', class: 'sort', onclick: () => this.sortBy(by) }, t.drive.columns[by]));
    if (!this.grid?.isConnected || this.body.firstChild !== this.grid) {
      this.head = h('div', { class: 'row head', role: 'row', 'aria-rowindex': '1' });
      this.grid = h('div', { class: 'table', role: 'table', 'aria-label': t.drive.root }, h('div', { role: 'rowgroup' }, this.head), this.list.element);
      replace(this.body, this.grid);
    }
    replace(this.head, h('div', { role: 'columnheader', class: 'cell pick' }, h('span', { class: 'unseen' }, t.drive.select(''))),
      head('name', 'name'), head('state', 'state'), head('size', 'size'), head('modified', 'modified'), h('div', { role: 'columnheader', class: 'cell act' }, h('span', { class: 'unseen' }, t.drive.actions(''))));
    this.grid.setAttribute('aria-rowcount', items.length + 1);
    this.list.set(items);
  }

  key(event, entry) {
    if (event.target.closest('button, input') && event.key !== 'F2' && event.key !== 'Delete') return;
    const act = {
      Enter: () => this.enter(entry),
      F2: () => askRename(this, entry),
      Delete: () => remove(this, [entry]),
      ' ': () => { this.pick(entry); this.list.show(true); },
      Backspace: () => { if (this.folder !== '/') location.hash = `#/drive${rootless(parentOf(this.folder))}`; },
    }[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  }

  enter(entry) {
    if (entry.kind === 'folder') location.hash = `#/drive${entry.path}`;
    else if (entry.partial) toast(t.drive.partialHint);
    else if (entry.kind === 'file') showPreview(entry, this.items.filter((one) => one.kind === 'file' && !one.partial));
    else this.details(entry);
  }

  actions(entry, opener) {
    actionsMenu(this, entry, opener);
  }

  details(entry) {
    showDetails(entry, () => this.load());
  }

  pick(entry) {
    if (!this.selected.delete(entry.path)) this.selected.add(entry.path);
    this.showBar();
  }

  showBar() {
    const picked = this.items.filter((entry) => this.selected.has(entry.path));
    this.bar.hidden = picked.length === 0;
    if (picked.length === 0) return;
    replace(this.bar, h('span', { role: 'status' }, t.drive.selected(picked.length)),
      button(t.drive.move, { icon: 'folder', onclick: () => askMove(this, picked) }),
      button(t.drive.remove, { icon: 'close', onclick: () => remove(this, picked) }),
      button(t.cancel, { kind: 'quiet', onclick: () => { this.selected.clear(); this.list.show(true); this.showBar(); } }));
  }

  sortBy(by) {
    this.sort = { by, down: this.sort.by === by && !this.sort.down };
    this.show(this.entries);
  }

  picked() {
    for (const file of this.picker.files) add(file, this.folder);
    this.picker.value = '';
  }

  acceptDrops() {
    let depth = 0;
    const veil = h('div', { class: 'veil', hidden: true }, h('div', {}, icon('upload'), t.drive.drop));
    this.main.append(veil);
    const on = (name, act) => this.main.addEventListener(name, act, { signal: this.stop.signal });
    const hasFiles = (event) => event.dataTransfer?.types.includes('Files');
    on('dragenter', (event) => { if (hasFiles(event)) { depth += 1; veil.hidden = false; event.preventDefault(); } });
    on('dragover', (event) => { if (hasFiles(event)) event.preventDefault(); });
    on('dragleave', () => { depth = Math.max(0, depth - 1); veil.hidden = depth === 0; });
    on('drop', async (event) => {
      event.preventDefault();
      depth = 0;
      veil.hidden = true;
      const folder = this.folder;
      try {
        for await (const [file, folders] of dropped(event.dataTransfer)) add(file, folders.reduce(inside, folder));
      } catch (error) {
        complain(error);
      }
    });
  }

  // Who has nothing yet is told where to begin.
  showStart() {
    const status = state.status;
    const isNew = this.folder === '/' && status && !status.workspaces[0]?.blind && status.peers.length === 0 && this.entries.length === 0;
    if (isNew && this.start.dataset.name !== status.name) {
      this.start.dataset.name = status.name;
      replace(this.start, startSteps(status));
      this.body.hidden = true;
    } else if (!isNew && this.start.firstChild) {
      delete this.start.dataset.name;
      replace(this.start);
    }
    this.body.hidden = Boolean(this.start.firstChild);
  }
}

function sorted(entries, { by, down }) {
  const key = { name: () => 0, state: (entry) => entry.state ?? '', size: (entry) => entry.size, modified: (entry) => entry.modified }[by];
  const order = (one, other) => {
    const folders = (other.kind === 'folder') - (one.kind === 'folder');
    const [first, second] = [key(one), key(other)];
    const values = first < second ? -1 : first > second ? 1 : byName(one.name, other.name);
    return folders || (down ? -values : values);
  };
  return [...entries].sort(order);
}

const safetyOf = (drive) => drive && [drive.safe_files, drive.pending_files, drive.only_here_files, drive.conflicts].join();
const rowHeight = () => (innerWidth < 720 ? ROW_HEIGHT.narrow : ROW_HEIGHT.wide);
const rootless = (path) => (path === '/' ? '' : path);
