// Who is linked with this computer: a picture, and the same in words for who cannot see it.

import { speedOf } from '../parts/speeds.js';
import { t } from '../strings.js';

const SVG = 'http://www.w3.org/2000/svg';
const WIDTH = 720;
// Two others stand at the sides of this one, more around it.
const HEIGHT = { line: 150, circle: 320 };
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
  const { here, spots, height } = places(peers.length);
  const words = peers.map((peer) => [`${peer.name}: ${t.topology[linkOf(peer)]}`, t.devices.states[peer.state] ?? peer.state, speedOf(peer.device)].filter(Boolean).join(', ')).join('; ');
  const picture = draw('svg', { viewBox: `0 0 ${WIDTH} ${height}`, class: 'topology', role: 'img', 'aria-label': `${t.topology.title}. ${words}` });
  const placed = peers.map((peer, at) => ({ peer, ...spots[at] }));
  for (const { peer, x, y } of placed) {
    picture.append(draw('line', { class: `link ${linkOf(peer)} ${peer.state}`, x1: here.x, y1: here.y, x2: x, y2: y }));
    const told = [t.topology[linkOf(peer)], peer.rtt_ms !== null && t.devices.rtt(peer.rtt_ms)].filter(Boolean).join(', ');
    const [middle, level] = [(here.x + x) / 2, (here.y + y) / 2];
    picture.append(label(middle, level - 8, told, 'link-text'), label(middle, level + 16, speedOf(peer.device), 'link-text link-speed'));
  }
  picture.append(...node(here, status.name, 'online this', t.devices.this));
  for (const spot of placed) picture.append(...node(spot, spot.peer.name, spot.peer.state, t.devices.states[spot.peer.state] ?? spot.peer.state));
  return picture;
}

function places(count) {
  if (count <= 2) {
    const level = HEIGHT.line / 2 - 18;
    const at = (x) => ({ x, y: level });
    const [here, spots] = count === 1 ? [at(190), [at(WIDTH - 190)]] : [at(WIDTH / 2), [at(110), at(WIDTH - 110)]];
    return { here, spots, height: HEIGHT.line };
  }
  const here = { x: WIDTH / 2, y: HEIGHT.circle / 2 - 14 };
  const spots = Array.from({ length: count }, (_, at) => {
    const angle = (2 * Math.PI * at) / count - Math.PI / 2;
    return { x: here.x + Math.cos(angle) * (WIDTH / 2 - 110), y: here.y + Math.sin(angle) * (HEIGHT.circle / 2 - 56) };
  });
  return { here, spots, height: HEIGHT.circle };
}

function node({ x, y }, name, kind, below) {
  return [draw('circle', { class: `node ${kind}`, cx: x, cy: y, r: 20 }), label(x, y + 38, short(name), 'node-name'), label(x, y + 54, below, 'node-text')];
}

function label(x, y, text, kind) {
  return draw('text', { x, y, class: kind, 'text-anchor': 'middle' }, text);
}
