// Who is linked with this computer: a picture, and the same in words for who cannot see it.

import { t } from '../strings.js';

const SVG = 'http://www.w3.org/2000/svg';
const WIDTH = 720;
const HEIGHT = 320;
// More would lie over one another; the cards below show everybody.
const PEERS_MAX = 16;
const NAME_CHARS = 18;

function draw(tag, attributes, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

const short = (name) => (name.length > NAME_CHARS ? `${name.slice(0, NAME_CHARS - 1)}…` : name);

// How a peer is linked: direct, relayed or not at all.
const linkOf = (peer) => (peer.path === null ? 'none' : peer.path.startsWith('direct') ? 'direct' : 'relayed');

export function topology(status) {
  const peers = status.peers.slice(0, PEERS_MAX);
  if (peers.length === 0) return null;
  const middle = { x: WIDTH / 2, y: HEIGHT / 2 };
  const placed = peers.map((peer, at) => {
    const angle = (2 * Math.PI * at) / peers.length - Math.PI / 2 + (peers.length <= 2 ? Math.PI / 2 : 0);
    return { peer, x: middle.x + Math.cos(angle) * (WIDTH / 2 - 110), y: middle.y + Math.sin(angle) * (HEIGHT / 2 - 50) };
  });
  const words = peers.map((peer) => `${peer.name}: ${t.topology[linkOf(peer)]}, ${t.devices.states[peer.state] ?? peer.state}`).join('; ');
  const picture = draw('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: 'topology', role: 'img', 'aria-label': `${t.topology.title}. ${words}` });
  for (const { peer, x, y } of placed) {
    picture.append(draw('line', { class: `link ${linkOf(peer)} ${peer.state}`, x1: middle.x, y1: middle.y, x2: x, y2: y }));
    const told = [t.topology[linkOf(peer)], peer.rtt_ms !== null && t.devices.rtt(peer.rtt_ms)].filter(Boolean).join(', ');
    picture.append(label((middle.x + x) / 2, (middle.y + y) / 2 - 6, told, 'link-text'));
  }
  picture.append(...node(middle, status.name, 'online this', t.devices.this));
  for (const spot of placed) picture.append(...node(spot, spot.peer.name, spot.peer.state, t.devices.states[spot.peer.state] ?? spot.peer.state));
  return picture;
}

function node({ x, y }, name, kind, below) {
  return [draw('circle', { class: `node ${kind}`, cx: x, cy: y, r: 20 }), label(x, y + 36, short(name), 'node-name'), label(x, y + 51, below, 'node-text')];
}

function label(x, y, text, kind) {
  return draw('text', { x, y, class: kind, 'text-anchor': 'middle' }, text);
}
