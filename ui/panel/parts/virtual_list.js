// A list of which only what is seen is on the page: ten thousand rows scroll as ten do.

import { h, replace } from '../dom.js';

const AROUND = 8;

// `draw(item, index)` makes a row of `rowHeight` pixels. The list scrolls with the page's main part.
export class VirtualList {
  constructor(scroller, rowHeight, draw) {
    this.scroller = scroller;
    this.rowHeight = rowHeight;
    this.draw = draw;
    this.items = [];
    this.focused = 0;
    this.element = h('div', { class: 'rows', role: 'rowgroup' });
    this.onscroll = () => requestAnimationFrame(() => this.show());
    scroller.addEventListener('scroll', this.onscroll, { passive: true });
    addEventListener('resize', this.onscroll, { passive: true });
    this.element.addEventListener('keydown', (event) => this.key(event));
  }

  close() {
    this.scroller.removeEventListener('scroll', this.onscroll);
    removeEventListener('resize', this.onscroll);
  }

  // Rows of another height, where the screen became another one.
  resize(rowHeight) {
    if (rowHeight === this.rowHeight) return;
    this.rowHeight = rowHeight;
    this.set(this.items);
  }

  set(items) {
    this.items = items;
    this.focused = Math.min(this.focused, Math.max(0, items.length - 1));
    this.element.style.height = `${items.length * this.rowHeight}px`;
    this.first = -1;
    this.show();
  }

  // Draws what is in sight, if that is not what stands there already.
  show(force = false) {
    const above = this.scroller.getBoundingClientRect().top - this.element.getBoundingClientRect().top;
    const first = Math.max(0, Math.floor(above / this.rowHeight) - AROUND);
    const last = Math.min(this.items.length, Math.ceil((above + this.scroller.clientHeight) / this.rowHeight) + AROUND);
    if (!force && first === this.first && last === this.last) return;
    const hadFocus = this.element.contains(document.activeElement);
    const focusedPart = hadFocus ? document.activeElement.dataset.part : null;
    this.first = first;
    this.last = last;
    const rows = [];
    for (let index = first; index < last; index += 1) {
      const row = this.draw(this.items[index], index);
      row.style.transform = `translateY(${index * this.rowHeight}px)`;
      row.setAttribute('aria-rowindex', index + 2);
      row.dataset.index = index;
      row.tabIndex = index === this.focused ? 0 : -1;
      rows.push(row);
    }
    replace(this.element, rows);
    if (hadFocus) {
      const row = this.row(this.focused);
      (row?.querySelector(`[data-part="${focusedPart}"]`) ?? row)?.focus({ preventScroll: true });
    }
  }

  row(index) {
    return this.element.querySelector(`[data-index="${index}"]`);
  }

  focus(index) {
    if (this.items.length === 0) return;
    this.focused = Math.max(0, Math.min(index, this.items.length - 1));
    const top = this.element.offsetTop + this.focused * this.rowHeight;
    const { scrollTop, clientHeight } = this.scroller;
    if (top < scrollTop + this.rowHeight) this.scroller.scrollTop = top - this.rowHeight;
    else if (top + 2 * this.rowHeight > scrollTop + clientHeight) this.scroller.scrollTop = top + 2 * this.rowHeight - clientHeight;
    this.show(true);
    this.row(this.focused)?.focus({ preventScroll: true });
  }

  key(event) {
    const page = Math.max(1, Math.floor(this.scroller.clientHeight / this.rowHeight) - 2);
    const index = Number(event.target.closest('[data-index]')?.dataset.index ?? this.focused);
    const to = { ArrowDown: index + 1, ArrowUp: index - 1, PageDown: index + page, PageUp: index - page, Home: 0, End: this.items.length - 1 }[event.key];
    if (to === undefined || event.target.matches('input[type=text]')) return;
    event.preventDefault();
    this.focus(to);
  }
}
