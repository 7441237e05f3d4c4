// What a person does to entries of a folder: make, rename, move, copy, delete and take that back, download.

import { ApiError, contentUrl, decode, del, inside, parentOf, post, tarUrl, zipUrl } from '../api.js';
import { h } from '../dom.js';
import { askText, complain, menu, toast } from '../parts/feedback.js';
import { t } from '../strings.js';

export function actionsMenu(page, entry, opener) {
  const isFile = entry.kind === 'file';
  if (entry.partial) return menu(opener, [['close', t.drive.discard, () => remove(page, [entry], true), 'danger']]);
  menu(opener, [
    isFile ? ['file', t.drive.preview, () => page.enter(entry)] : entry.kind === 'folder' && ['folder', t.drive.open, () => page.enter(entry)],
    isFile && ['download', t.drive.download, () => follow(contentUrl(entry.path, true))],
    entry.kind === 'folder' && ['download', t.drive.zip, () => follow(zipUrl(entry.path))],
    entry.kind === 'folder' && ['download', t.drive.tar, () => follow(tarUrl(entry.path))],
    ['text', t.drive.rename, () => askRename(page, entry)],
    ['folder', t.drive.move, () => askMove(page, [entry])],
    ['copy', t.drive.copyTo, () => copy(page, entry)],
    isFile && ['clock', t.drive.details, () => page.details(entry)],
    ['close', t.drive.remove, () => remove(page, [entry]), 'danger'],
  ]);
}

export function askNewFolder(page) {
  askText(t.drive.newFolder, { label: t.drive.newFolderName, value: t.drive.untitled, action: t.drive.newFolder, done: async (name) => {
    await post(`/files/folder?path=${inside(page.folder, checked(name))}`);
    await page.load();
  } });
}

export function askRename(page, entry) {
  askText(t.drive.rename, { label: t.drive.renameTo, value: entry.name, action: t.drive.rename, done: async (name) => {
    const to = inside(parentOf(entry.path), checked(name));
    await post(`/files/move?path=${entry.path}&to=${to}`);
    await page.load();
  } });
}

export function askMove(page, entries) {
  const start = decode(page.folder);
  askText(t.drive.move, { label: t.drive.moveTo, value: start, hint: t.drive.moveHint, action: t.drive.move, done: async (typed) => {
    const folder = `/${typed.split('/').filter(Boolean).map(encodeURIComponent).join('/')}`;
    if (folder !== '/') await post(`/files/folder?path=${folder}`).catch(ignoreTaken);
    for (const entry of entries) {
      await post(`/files/move?path=${entry.path}&to=${folder === '/' ? '' : folder}/${entry.path.slice(entry.path.lastIndexOf('/') + 1)}`);
    }
    page.selected.clear();
    await page.load();
  } });
}

async function copy(page, entry) {
  try {
    await post(`/files/copy?path=${entry.path}&to=${inside(parentOf(entry.path), t.drive.copyName(entry.name))}`);
    await page.load();
  } catch (error) {
    complain(error);
  }
}

export async function remove(page, entries, forGood = false) {
  try {
    const removed = [];
    for (const entry of entries) removed.push([entry.path, await del(`/files?path=${entry.path}`)]);
    page.selected.clear();
    await page.load();
    const count = removed.reduce((sum, [, answer]) => sum + answer.entries, 0);
    if (!forGood) toast(t.drive.removed(count), { action: t.undo, act: () => bringBack(page, removed) });
  } catch (error) {
    complain(error);
    page.load();
  }
}

async function bringBack(page, removed) {
  try {
    for (const [path, { since }] of removed) await post(`/files/undelete?path=${path}`, { since });
    toast(t.drive.restored);
  } catch (error) {
    complain(error);
  }
  if (!page.stop.signal.aborted) await page.load();
}

function checked(name) {
  if (name === '' || name === '.' || name === '..' || name.includes('/')) throw new ApiError(0, t.drive.badName);
  return name;
}

const ignoreTaken = (error) => { if (error.status !== 409) throw error; };

function follow(url) {
  const link = h('a', { href: url, download: '' });
  document.body.append(link);
  link.click();
  link.remove();
}
