// Tokens for other programs: what each may, and the end of it.

import { del, getAll, post } from '../api.js';
import { button, h, replace } from '../dom.js';
import { ago, moment } from '../format.js';
import { complain, confirm, copyText, dialog, load } from '../parts/feedback.js';
import { t } from '../strings.js';

export function showTokens(place) {
  load(place, () => getAll('/tokens'), (list) => place.append(h('h2', {}, t.tokens.title), h('p', { class: 'hint' }, t.tokens.lead),
    h('ul', { class: 'versions' }, list.map((token) => h('li', {},
      h('div', {}, h('strong', {}, token.name), h('span', { class: 'tag' }, t.tokens.scopes[token.scope]),
        h('div', { class: 'hint' }, `${t.tokens.made(moment(token.created))}, ${token.used ? t.settings.sessionUsed(ago(token.used) ?? t.justNow) : t.tokens.unused}`)),
      button(t.tokens.revoke, { kind: 'quiet danger', onclick: () => revoke(token, place) })))),
    h('div', { class: 'actions' }, button(t.tokens.create, { icon: 'plus', onclick: () => create(place) }))));
}

function revoke(token, place) {
  confirm(t.tokens.revokeTitle(token.name), t.tokens.revokeText, t.tokens.revoke, async () => {
    await del(`/tokens?token=${token.id}`);
    showTokens(place);
  });
}

function create(place) {
  dialog(t.tokens.create, (body) => {
    const name = h('input', { id: 'token-name', required: true, maxlength: '100', autocomplete: 'off' });
    const scope = h('select', { id: 'token-scope' }, Object.entries(t.tokens.scopes).map(([value, text]) => h('option', { value }, text)));
    const wrong = h('p', { class: 'wrong', role: 'alert' });
    const submit = async (event) => {
      event.preventDefault();
      try {
        const made = await post('/tokens', { name: name.value.trim(), scope: scope.value });
        showTokens(place);
        replace(body, h('p', {}, t.tokens.once), h('p', { class: 'code long' }, made.token),
          h('div', { class: 'actions' }, button(t.copy, { icon: 'copy', onclick: () => copyText(made.token).catch(complain) })));
      } catch (error) {
        wrong.textContent = error.message;
      }
    };
    body.append(h('form', { onsubmit: submit }, h('label', { for: 'token-name' }, t.tokens.name), name, h('label', { for: 'token-scope' }, t.tokens.scope), scope, wrong,
      h('div', { class: 'dialog-actions' }, h('button', { class: 'button primary', type: 'submit' }, t.tokens.create))));
  });
}
