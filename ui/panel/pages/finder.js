// Names over the whole drive, as somebody types: in parts as the daemon finds them, and narrowed here while what was found is all there is.

import { bus, get } from '../api.js';
import { replace } from '../dom.js';
import { complain, notice } from '../parts/feedback.js';
import { t } from '../strings.js';

// Between the last key and the question.
const PAUSE_MS = 70;
// More than a person reads through.
const FOUND_MAX = 200;

export class Finder {
  constructor(page) {
    this.page = page;
    // What was found last, if that was all of it and nothing has changed since.
    this.all = null;
    this.stop = new AbortController();
    this.listens = new AbortController();
    bus.addEventListener('tree', () => { this.all = null; }, { signal: this.listens.signal });
  }

  close() {
    clearTimeout(this.timer);
    this.stop.abort();
    this.listens.abort();
  }

  soon() {
    clearTimeout(this.timer);
    const words = this.words();
    if (words && this.all && words.startsWith(this.all.words)) {
      this.stop.abort();
      this.told(narrowed(this.all.entries, words), true);
      return;
    }
    this.timer = setTimeout(() => this.find(), PAUSE_MS);
  }

  words() {
    return this.page.search.value.trim().toLowerCase();
  }

  async find() {
    const words = this.words();
    this.stop.abort();
    this.stop = new AbortController();
    const { signal } = this.stop;
    if (!words) return this.page.show(this.page.entries), this.page.load();
    try {
      const entries = [];
      this.all = null;
      let changed = false;
      bus.addEventListener('tree', () => { changed = true; }, { signal, once: true });
      // A large drive is looked through in parts; what is found stands there while the rest is looked through.
      for (let after = ''; after !== null && entries.length < FOUND_MAX;) {
        const part = await get(`/search?words=${encodeURIComponent(words)}${after ? `&after=${after}` : ''}`, signal);
        entries.push(...part.entries);
        after = part.next;
        if (after === null && !changed) this.all = { words, entries };
        this.told(entries, after === null);
      }
    } catch (error) {
      if (error.name !== 'AbortError') complain(error);
    }
  }

  told(entries, complete) {
    if (entries.length > 0) {
      this.page.table(entries);
      replace(this.page.foot, t.drive.found(entries.length, complete));
    } else if (complete) {
      replace(this.page.body, notice('search', t.drive.notFound, t.drive.notFoundHint));
      replace(this.page.foot);
    } else {
      replace(this.page.foot, t.loading);
    }
  }
}

function narrowed(entries, words) {
  const parts = words.split(/\s+/);
  return entries.filter((entry) => {
    const name = entry.name.toLowerCase();
    return parts.every((part) => name.includes(part));
  });
}
