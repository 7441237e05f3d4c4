// Who is linked with this computer: a picture, and the same in words for who cannot see it.

import { speedOf } from '../parts/speeds.js';
import { t } from '../strings.js';

const SVG = 'http://www.w3.org/2000/svg';
const WIDTH = { wide: 720, phone: 380 };
// Two others stand at the sides of this one, more around it.
const HEIGHT = { line: 150, circle: 340 };
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
  const phone = innerWidth < 720;
  const width = phone ? WIDTH.phone : WIDTH.wide;
  const { here, spots, height } = places(peers.length, width);
  const words = peers.map((peer) => [`${peer.name}: ${t.topology[linkOf(peer)]}`, t.devices.states[peer.state] ?? peer.state, speedOf(peer.device)].filter(Boolean).join(', ')).join('; ');
  const picture = draw('svg', { viewBox: `0 0 ${width} ${height}`, class: 'topology', role: 'img', 'aria-label': `${t.topology.title}. ${words}` });
  const placed = peers.map((peer, at) => ({ peer, ...spots[at] }));
  for (const { peer, x, y } of placed) {
    picture.append(draw('line', { class: `link ${linkOf(peer)} ${peer.state}`, x1: here.x, y1: here.y, x2: x, y2: y }));
  }
  // Over the lines, whichever they belong to.
  for (const { peer, x, y } of placed) {
    const [rtt, speed] = [peer.rtt_ms !== null && t.devices.rtt(peer.rtt_ms), speedOf(peer.device)];
    const [middle, level] = [(here.x + x) / 2, (here.y + y) / 2];
    // Between several on a phone there is room for one of them; the line's colour and the cards tell the rest.
    if (phone && peers.length > 1) picture.append(label(middle, level - 8, speed || rtt || '', speed ? 'link-text link-speed' : 'link-text'));
    else {
      const told = [t.topology[linkOf(peer)], rtt].filter(Boolean).join(', ');
      const steep = Math.abs(here.x - x) < 40;
      const side = (from, text, kind) => (steep ? label(middle + 10, level + from / 2, text, kind, 'start') : label(middle, level + from, text, kind));
      picture.append(side(-8, told, 'link-text'), side(16, speed, 'link-text link-speed'));
    }
  }
  picture.append(...node(here, status.name, 'online this', t.devices.this));
  for (const spot of placed) picture.append(...node(spot, spot.peer.name, spot.peer.state, t.devices.states[spot.peer.state] ?? spot.peer.state));
  return picture;
}

function places(count, width) {
  const edge = width === WIDTH.phone ? 60 : 110;
  if (count <= 2) {
    const level = HEIGHT.line / 2 - 18;
    const at = (x) => ({ x, y: level });
    const [here, spots] = count === 1 ? [at(width * 0.26), [at(width * 0.74)]] : [at(width / 2), [at(edge), at(width - edge)]];
    return { here, spots, height: HEIGHT.line };
  }
  const here = { x: width / 2, y: HEIGHT.circle / 2 };
  // None straight below, where this one has its name.
  const turned = count % 2 === 0 ? 0.5 : 0;
  const spots = Array.from({ length: count }, (_, at) => {
    const angle = (2 * Math.PI * (at + turned)) / count - Math.PI / 2;
    return { x: here.x + Math.cos(angle) * (width / 2 - edge), y: here.y + Math.sin(angle) * (HEIGHT.circle / 2 - 74), up: Math.sin(angle) < -0.3 };
  });
  return { here, spots, height: Math.min(HEIGHT.circle, Math.max(...spots.map(({ y }) => y), here.y) + 76) };
}

function node({ x, y, up = false }, name, kind, below) {
  // Names point away from the middle.
  const [first, second] = up ? [-44, -28] : [38, 54];
  return [draw('circle', { class: `node ${kind}`, cx: x, cy: y, r: 20 }), label(x, y + first, short(name), 'node-name'), label(x, y + second, below, 'node-text')];
}

function label(x, y, text, kind, anchor = 'middle') {
  return draw('text', { x, y, class: kind, 'text-anchor': anchor }, text);
}
