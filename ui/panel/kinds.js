// What a file is by its name. The daemon reads the same list and serves nothing of another kind to be shown.

const told = await fetch('/panel/kinds.txt').then((answer) => (answer.ok ? answer.text() : '')).catch(() => '');
const lines = told.split('\n').map((line) => line.split(' = ')).filter(([, endings]) => endings);
const BY_ENDING = new Map(lines.flatMap(([kind, endings]) => endings.split(' ').map((ending) => [ending, kind])));

// As the daemon says it: `image/png`; null for what is only downloaded.
export const mimeOf = (name) => BY_ENDING.get(name.slice(name.lastIndexOf('.') + 1).toLowerCase()) ?? null;

// `image`, `video`, `audio`, `pdf`, `text` or null.
export function kindOf(name) {
  const mime = mimeOf(name);
  return mime === 'application/pdf' ? 'pdf' : mime?.split('/')[0] ?? null;
}
