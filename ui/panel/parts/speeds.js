// How fast data goes to and from each computer: what went over its link between two statuses.

import { bus } from '../api.js';
import { size } from '../format.js';
import { t } from '../strings.js';

// Less is the links' own talk.
const LEAST_BYTES_PER_S = 16 << 10;
// A status comes when something changed, each second at most: after so long without one, nothing goes.
const HOLDS_MS = 3000;

const before = new Map();
const speeds = new Map();

bus.addEventListener('status', ({ detail }) => {
  const at = performance.now();
  for (const { device, sent_bytes: sent, received_bytes: received } of detail.peers) {
    const last = before.get(device);
    before.set(device, { sent, received, at });
    // A new link counts from nothing.
    if (!last || sent < last.sent || received < last.received) continue;
    const seconds = Math.min(HOLDS_MS, at - last.at) / 1000;
    if (seconds > 0) speeds.set(device, { up: (sent - last.sent) / seconds, down: (received - last.received) / seconds, at });
  }
});

// In words; empty while nothing to speak of goes.
export function speedOf(device) {
  const speed = speeds.get(device);
  if (!speed || performance.now() - speed.at > HOLDS_MS) return '';
  return [['up', t.speeds.up], ['down', t.speeds.down]].filter(([way]) => speed[way] >= LEAST_BYTES_PER_S)
    .map(([way, told]) => told(size(speed[way]))).join(', ');
}
