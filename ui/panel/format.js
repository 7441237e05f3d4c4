// Numbers and times as people read them, in the browser's language.

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
const whole = new Intl.NumberFormat();
const short = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });
const relative = new Intl.RelativeTimeFormat(undefined, { numeric: 'auto' });
const dayTime = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });
const day = new Intl.DateTimeFormat(undefined, { dateStyle: 'full' });
const time = new Intl.DateTimeFormat(undefined, { timeStyle: 'short' });
const weekdays = new Intl.DateTimeFormat(undefined, { weekday: 'short', timeZone: 'UTC' });
const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: 'base' });

export const number = (value) => whole.format(value);
export const percent = (part, of) => `${Math.floor(of > 0 ? (100 * part) / of : 100)}\u00a0%`;
export const moment = (text) => dayTime.format(new Date(text));
// Without the day where it is today.
export const soonMoment = (text) => (dayOf(text) === dayOf(Date.now()) ? timeOf(text) : moment(text));
export const dayOf = (text) => day.format(new Date(text));
export const timeOf = (text) => time.format(new Date(text));
// 0 is Monday.
export const weekday = (at) => weekdays.format(new Date(Date.UTC(2024, 0, 1 + at)));
export const byName = (one, other) => collator.compare(one, other);

export function size(bytes) {
  let unit = 0;
  let value = bytes;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${short.format(value)} ${UNITS[unit]}`;
}

// Bytes of a text like 10G or 1.5 GiB; null if it is none.
export function parseSize(text) {
  const match = /^\s*([0-9]+(?:[.,][0-9]+)?)\s*([KMGTP]?)(?:i?B)?\s*$/i.exec(text);
  if (!match) return null;
  const power = ' KMGTP'.indexOf(match[2].toUpperCase() || ' ');
  return Math.round(Number(match[1].replace(',', '.')) * 1024 ** power);
}

// So many seconds in a unit that gives a number people grasp: "2 hours", "90 minutes".
export function duration(seconds) {
  const steps = [[86400, 'day'], [3600, 'hour'], [60, 'minute']];
  const [length, unit] = steps.find(([step]) => seconds >= 2 * step) ?? [60, 'minute'];
  return new Intl.NumberFormat(undefined, { style: 'unit', unit, unitDisplay: 'long' }).format(Math.max(1, Math.ceil(seconds / length)));
}

// How long ago, in the largest unit; null within a minute.
export function ago(text) {
  const seconds = (new Date(text) - Date.now()) / 1000;
  const steps = [['year', 31536000], ['month', 2592000], ['day', 86400], ['hour', 3600], ['minute', 60]];
  for (const [unit, length] of steps) {
    if (Math.abs(seconds) >= length) return relative.format(Math.round(seconds / length), unit);
  }
  return null;
}

export const plural = (count, one, many) => `${number(count)} ${count === 1 ? one : many}`;
