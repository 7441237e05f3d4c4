// The panel: signs in, draws the frame, and shows the page that the address names.

import { bus, get, listen, post, state } from './api.js';
import { button, h, icon, replace } from './dom.js';
import { complain, copyText, notice, toastPlace } from './parts/feedback.js';
import { uploadTray } from './parts/upload_tray.js';
import { showActivity } from './pages/activity.js';
import { showDevices } from './pages/devices.js';
import { showDrive } from './pages/drive.js';
import { showHealth, verdictOf } from './pages/health.js';
import { showSettings } from './pages/settings.js';
import { showStorage } from './pages/storage.js';
import { t } from './strings.js';

const PAGES = { drive: showDrive, devices: showDevices, storage: showStorage, health: showHealth, activity: showActivity, settings: showSettings };
const app = document.getElementById('app');
const toasts = toastPlace();
const tray = uploadTray();
let frame = null;
let leave = () => {};

async function begin() {
  const link = /^#link=([0-9a-f]+)$/.exec(location.hash)?.[1];
  if (link) {
    // Out of the address and the history first: it is a secret, used or not.
    history.replaceState(null, '', '/');
    try {
      await signIn(link);
    } catch (error) {
      // Whoever is signed in already does not need it.
      if (!(await isSignedIn())) return askToSignIn(error.message);
    }
  }
  if (await isSignedIn()) start();
  else askToSignIn();
}

// 403: the link is good, and the daemon asks for the passphrase as well.
async function signIn(link) {
  try {
    await post('/session', { link });
  } catch (error) {
    if (error.status !== 403) throw error;
    await askPassphrase(link);
  }
}

// Done when the passphrase was right; fails when the link is worth nothing any more.
function askPassphrase(link) {
  return new Promise((resolve, reject) => {
    const input = h('input', { type: 'password', id: 'passphrase', required: true, autocomplete: 'current-password' });
    const wrong = h('p', { class: 'wrong', role: 'alert' });
    const submit = async (event) => {
      event.preventDefault();
      try {
        await post('/session', { link, passphrase: input.value });
        resolve();
      } catch (error) {
        if (error.status === 401) reject(error);
        wrong.textContent = error.message;
        input.select();
      }
    };
    replace(app, h('main', { class: 'sign-in' }, logo(), notice('shield', t.signIn.passphrase, t.signIn.passphraseWhy,
      h('form', { onsubmit: submit }, h('label', { for: 'passphrase' }, t.settings.passphrase), input, wrong,
        h('div', { class: 'actions' }, h('button', { class: 'button primary', type: 'submit' }, t.signIn.open))))), toasts);
    input.focus();
  });
}

async function isSignedIn() {
  try {
    state.status = await get('/status');
    return true;
  } catch (error) {
    if (error.status === 401) return false;
    await new Promise((resolve) => setTimeout(resolve, 1000));
    return isSignedIn();
  }
}

function start() {
  frame = drawFrame();
  replace(app, frame.element, toasts);
  listen();
  show();
}

function drawFrame() {
  const links = Object.keys(PAGES).map((name) => h('a', { href: `#/${name}`, 'data-page': name }, icon(name), h('span', {}, t.pages[name])));
  const health = h('a', { class: 'verdict-line', href: '#/health' });
  const offline = h('div', { class: 'offline', role: 'status', hidden: true }, t.offline);
  const main = h('main', { id: 'main', tabindex: '-1' });
  const element = h('div', { class: 'frame' },
    h('a', { class: 'skip', href: '#main', onclick: (event) => { event.preventDefault(); main.focus(); } }, t.skip),
    h('nav', { class: 'side', 'aria-label': t.nav }, h('a', { class: 'brand', href: '#/drive' }, logo(), h('span', {}, t.name)), h('div', { class: 'links' }, links), health),
    h('div', { class: 'content' }, offline, main), tray);
  return { element, main, links, health, offline };
}

function logo() {
  return h('img', { src: '/panel/icon.svg', alt: '', width: '28', height: '28' });
}

function show() {
  if (!frame) return;
  const [name, ...rest] = location.hash.replace(/^#\/?/, '').split('/');
  const page = PAGES[name] ? name : 'drive';
  leave();
  frame.main.scrollTop = 0;
  for (const link of frame.links) {
    if (link.dataset.page === page) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  document.title = `${t.pages[page]} – ${t.name}`;
  replace(frame.main);
  leave = PAGES[page](frame.main, rest.filter(Boolean).length > 0 ? `/${rest.filter(Boolean).join('/')}` : '') ?? (() => {});
  tellHealth();
}

function tellHealth() {
  if (!frame || !state.status) return;
  const [kind, name, sentence] = verdictOf(state.status);
  frame.health.className = `verdict-line ${kind}`;
  replace(frame.health, icon(name), h('span', {}, sentence));
}

function askToSignIn(why) {
  leave();
  leave = () => {};
  const command = t.signIn.command;
  const signedOut = frame !== null;
  frame = null;
  replace(app, h('main', { class: 'sign-in' }, logo(),
    notice('shield', signedOut ? t.signIn.signedOut : t.signIn.title, why ?? t.signIn.lead,
      h('div', { class: 'command' }, h('code', {}, command), button(t.copy, { icon: 'copy', onclick: () => copyText(command).catch(complain) })),
      h('p', { class: 'hint' }, t.signIn.why))), tray, toasts);
  waitForSignIn();
}

// Another tab may sign this browser in: then this one goes on, uploads and all.
async function waitForSignIn() {
  await new Promise((resolve) => setTimeout(resolve, 2000));
  if (frame) return;
  const response = await fetch('/api/v1/status').catch(() => null);
  if (response?.ok) {
    state.status = await response.json();
    start();
  } else {
    waitForSignIn();
  }
}

bus.addEventListener('signed-out', () => { if (frame) askToSignIn(); });
bus.addEventListener('status', tellHealth);
bus.addEventListener('offline', () => { if (frame) frame.offline.hidden = state.opensAnew; });
bus.addEventListener('online', () => { if (frame) frame.offline.hidden = true; });
addEventListener('hashchange', () => {
  if (location.hash.startsWith('#link=')) begin();
  else show();
});
begin();
