// Whether everything is safe, in one sentence; and what to do where it is not.

import { bus, del, get, post, state } from '../api.js';
import { button, h, icon, replace } from '../dom.js';
import { moment, number, percent, size } from '../format.js';
import { complain, load } from '../parts/feedback.js';
import { Forecast } from '../parts/forecast.js';
import { inParts } from '../parts/more.js';
import { t } from '../strings.js';
import { conflictList } from './conflicts.js';
import { badge } from './entries.js';
import { facts, passesOf, theirPasses } from './passes.js';

const SCRUB_MS = 700;
// In one part: conflicts show what is in them.
const PART_CONFLICTS = 20;
const PART_RISKS = 50;

export function showHealth(main) {
  const stop = new AbortController();
  const verdict = h('section', { class: 'verdict', role: 'status' });
  const conflicts = h('div');
  const risks = h('div');
  const repair = h('div');
  const passes = h('div');
  replace(main, h('header', { class: 'page-head' }, h('h1', {}, t.pages.health)), verdict, conflicts, risks, repair, h('div', { class: 'columns' }, scrub(stop.signal, passes), doctor()));
  let before = '';
  const draw = (status) => {
    tellVerdict(verdict, status);
    replace(repair, repairs(status));
    replace(passes, passesOf(status));
    const drive = status.workspaces[0];
    // The lists are asked for anew only when the counts say that they changed.
    const now = [drive.conflicts, drive.safe_files, drive.files, drive.only_here_files].join();
    if (now === before || drive.blind) return;
    before = now;
    showConflicts(conflicts, drive.conflicts, stop.signal, () => { before = ''; });
    showRisks(risks, drive.files - drive.safe_files, stop.signal);
  };
  bus.addEventListener('status', (event) => draw(event.detail), { signal: stop.signal });
  if (state.status) draw(state.status);
  else load(verdict, () => get('/status', stop.signal), draw);
  return () => stop.abort();
}

// What one sentence says of a status: kind, icon, sentence, what to do.
export function verdictOf(status) {
  const drive = status.workspaces[0];
  if (status.health !== 'ok') return ['bad', 'alert', t.health.readOnly, status.health_detail ?? ''];
  if (drive.blind) return ['good', 'shield', t.health.blind, ''];
  const alone = status.peers.length === 0;
  if (drive.files > 0 && alone) return ['warn', 'only', t.health.alone(drive.files), t.health.aloneHint];
  const online = status.peers.some((peer) => peer.state === 'online');
  if (drive.only_here_files > 0 && !online) return ['warn', 'only', t.health.only(drive.only_here_files), t.health.onlyHint];
  if (drive.only_here_too_long) return ['warn', 'only', t.health.onlyTooLong(drive.only_here_files), t.health.onlyTooLongHint(moment(drive.only_here_since))];
  if (drive.safe_files < drive.files) return ['way', 'clock', t.health.onWay(drive.files - drive.safe_files), t.health.onWayHint];
  if (drive.conflicts > 0) return ['warn', 'split', t.health.toDecide(drive.conflicts), t.health.toDecideHint];
  return ['good', 'shield', t.health.safe(drive.files, status.peers.length + 1, drive.policy?.copies ?? status.peers.length + 1), drive.files > 0 ? t.health.safeHint : ''];
}

function tellVerdict(place, status) {
  const [kind, name, sentence, hint] = verdictOf(status);
  const drive = status.workspaces[0];
  place.className = `verdict ${kind}`;
  const count = (label, value) => h('div', { class: 'count' }, h('strong', {}, number(value)), h('span', {}, label));
  replace(place, h('div', { class: 'verdict-icon' }, icon(name)), h('div', {}, h('h2', {}, sentence), hint ? h('p', {}, hint) : null),
    drive.blind ? null : h('div', { class: 'counts' }, count(t.health.counts, drive.files), count(t.health.safeFiles, drive.safe_files), count(t.health.pendingFiles, drive.pending_files),
      count(t.health.onlyFiles, drive.only_here_files), count(t.health.conflicts, drive.conflicts)));
}

// As long as the page of the browser lives, whatever page of the panel it shows.
const mending = new Forecast();

// What heals by itself, how the others answered when they were asked to prove what they hold, and how they read what they hold.
function repairs(status) {
  const asked = status.peers.filter((peer) => peer.audit.asked > 0);
  const lines = [status.mending_chunks > 0 && t.health.mending(status.mending_chunks, mending.left(status.mending_chunks)), status.damaged_chunks > 0 && t.health.damaged(status.damaged_chunks),
    status.healed_chunks > 0 && t.health.healed(status.healed_chunks)].filter(Boolean);
  return h('section', { class: 'panel' }, h('h2', {}, t.health.repair), (lines.length > 0 ? lines : [t.health.nothingToRepair]).map((line) => h('p', {}, line)),
    h('h3', {}, t.health.audits), asked.length === 0 ? h('p', { class: 'hint' }, t.health.noAudits) : facts(t.health.audits, t.health.auditColumns, asked.map(({ name, audit }) =>
      [name, `${number(audit.right)} / ${number(audit.asked)}`, number(audit.wrong + audit.missing), number(audit.silent)])),
    status.peers.length > 0 ? theirPasses(status.peers) : null);
}

function showConflicts(place, count, signal, changed) {
  if (count === 0) return replace(place);
  inParts(place, '/conflicts', { limit: PART_CONFLICTS, signal }, (list) => conflictList(list, changed));
}

function showRisks(place, count, signal) {
  if (count === 0) return replace(place);
  inParts(place, '/files/at_risk', { limit: PART_RISKS, signal }, (found) => {
    // Those have a list of their own.
    const entries = found.filter((entry) => entry.state !== 'conflict');
    if (entries.length === 0) return null;
    return h('section', { class: 'panel' }, h('h2', {}, t.health.atRisk), h('ul', { class: 'risks' }, entries.map((entry) =>
      h('li', {}, h('a', { href: `#/drive${entry.path.slice(0, entry.path.lastIndexOf('/'))}` }, `${entry.folder === '/' ? '' : entry.folder}/${entry.name}`.replace(/^\//, '')), badge(entry)))));
  });
}

function scrub(signal, passes) {
  const told = h('p', { role: 'status' });
  const bar = h('progress', { 'aria-label': t.health.scrub, hidden: true });
  const act = h('div', { class: 'actions' });
  let timer = null;
  const draw = (job) => {
    const runs = job.state === 'running';
    bar.hidden = !runs;
    bar.max = Math.max(1, job.total_bytes);
    bar.value = job.bytes;
    const part = runs ? ` ${percent(job.bytes, job.total_bytes)} (${size(job.bytes)})` : '';
    replace(told, (t.health.scrubStates[job.state] ?? job.state) + part, job.state === 'done' ? ` ${t.health.scrubFound(job.bad_chunks)}` : null, job.error ? ` ${job.error}` : null,
      job.files.length > 0 ? h('ul', {}, job.files.map((file) => h('li', {}, file))) : null);
    replace(act, button(runs ? t.health.scrubStop : t.health.scrubStart, { onclick: () => (runs ? del('/scrub') : post('/scrub')).then(draw).catch(complain) }));
    clearTimeout(timer);
    if (runs && !signal.aborted) timer = setTimeout(look, SCRUB_MS);
  };
  const look = () => get('/scrub', signal).then(draw).catch(() => {});
  look();
  return h('section', { class: 'panel' }, h('h2', {}, t.health.scrub), h('p', { class: 'hint' }, t.health.scrubLead), told, bar, act, h('h3', {}, t.health.passes), passes);
}

function doctor() {
  const found = h('div');
  const go = button(t.health.doctorGo, { onclick: async () => {
    go.disabled = true;
    replace(found, h('p', { class: 'loading', role: 'status' }, t.health.doctorWorking));
    try {
      const findings = await get('/doctor');
      replace(found, h('ul', { class: 'findings' }, findings.map((finding) => h('li', { class: finding.severity }, icon(finding.severity === 'fine' ? 'check' : 'alert'),
        h('div', {}, finding.what, finding.remedy ? h('div', { class: 'hint' }, finding.remedy) : null)))));
    } catch (error) {
      replace(found);
      complain(error);
    }
    go.disabled = false;
  } });
  return h('section', { class: 'panel' }, h('h2', {}, t.health.doctor), h('p', { class: 'hint' }, t.health.doctorLead), found, h('div', { class: 'actions' }, go));
}

