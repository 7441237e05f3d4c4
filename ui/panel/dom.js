// Building the page. Text is always text: nothing that comes from the drive is ever read as HTML.

const SVG = 'http://www.w3.org/2000/svg';

// An element: properties beginning with "on" listen, `class` and attributes are set, null and false are left out.
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (name === 'class') element.className = value;
    else if (name in element && typeof value !== 'string') element[name] = value;
    else element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.flat(9).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export function replace(parent, ...children) {
  parent.replaceChildren(...children.flat(9).filter((child) => child !== null && child !== undefined && child !== false));
}

const ICONS = {
  folder: ['M3 6.5A1.5 1.5 0 0 1 4.5 5H9l2 2.5h8.500A1.5 1.5 0 0 1 21 9v8.500a1.500 1.500 0 0 1-1.500 1.500h-15A1.500 1.500 0 0 1 3 17.500z'],
  file: ['M6 3h8l4 4v14H6z', 'M14 3v4h4'],
  image: ['M4 5h16v14H4z', 'm4 16 5-5 4 4 3-3 4 4', 'M9 9h.01'],
  video: ['M4 6h11v12H4z', 'm15 10 5-3v10l-5-3'],
  audio: ['M9 18V6l10-2v12', 'M9 18a2.500 2.500 0 1 1-5 0 2.500 2.500 0 0 1 5 0z', 'M19 16a2.500 2.500 0 1 1-5 0 2.500 2.500 0 0 1 5 0z'],
  text: ['M6 3h8l4 4v14H6z', 'M9 12h6M9 16h6M9 8h2'],
  link: ['M9 15 15 9', 'M11 6.500 13 4.500a4 4 0 0 1 6 6L17 12.500', 'M13 17.500 11 19.500a4 4 0 0 1-6-6L7 11.500'],
  drive: ['M4 7h16v10H4z', 'M8 13h.01M12 13h4'],
  devices: ['M3 5h12v9H3z', 'M7 18h4M9 14v4', 'M17 9h4v10h-4z'],
  storage: ['M12 4c4.400 0 8 1.300 8 3s-3.600 3-8 3-8-1.300-8-3 3.600-3 8-3z', 'M4 7v10c0 1.700 3.600 3 8 3s8-1.300 8-3V7', 'M4 12c0 1.700 3.600 3 8 3s8-1.300 8-3'],
  health: ['M12 20s-7-4.300-7-10a4 4 0 0 1 7-2.600A4 4 0 0 1 19 10c0 5.700-7 10-7 10z'],
  activity: ['M3 12h4l3-7 4 14 3-7h4'],
  settings: ['M4 7h9M17 7h3M4 17h3M11 17h9', 'M15 5v4M9 15v4'],
  upload: ['M12 16V5', 'm7 9 5-5 5 5', 'M5 19h14'],
  download: ['M12 4v11', 'm7 11 5 5 5-5', 'M5 20h14'],
  plus: ['M12 5v14M5 12h14'],
  more: ['M6 12h.01M12 12h.01M18 12h.01'],
  list: ['M8 6h13M8 12h13M8 18h13', 'M4 6h.01M4 12h.01M4 18h.01'],
  grid: ['M4 4h7v7H4z', 'M13 4h7v7h-7z', 'M4 13h7v7H4z', 'M13 13h7v7h-7z'],
  close: ['m6 6 12 12M18 6 6 18'],
  check: ['m5 12 5 5 9-10'],
  clock: ['M12 4a8 8 0 1 1 0 16 8 8 0 0 1 0-16z', 'M12 8v4l3 2'],
  alert: ['M12 4 2.500 20h19z', 'M12 10v4M12 17h.01'],
  split: ['M6 4v6a4 4 0 0 0 4 4h8', 'm15 11 3 3-3 3', 'M6 10v10'],
  only: ['M4 6h16v10H4z', 'M9 20h6M12 16v4'],
  search: ['M11 4a7 7 0 1 1 0 14 7 7 0 0 1 0-14z', 'm16 16 4 4'],
  up: ['m6 14 6-6 6 6'],
  copy: ['M8 8h11v11H8z', 'M5 15V5h10'],
  shield: ['M12 3 5 6v5c0 4.500 3 8 7 10 4-2 7-5.500 7-10V6z', 'm9 12 2 2 4-4'],
};

export function icon(name) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('class', `icon icon-${name}`);
  svg.setAttribute('aria-hidden', 'true');
  for (const d of ICONS[name] ?? ICONS.file) {
    const path = document.createElementNS(SVG, 'path');
    path.setAttribute('d', d);
    svg.append(path);
  }
  return svg;
}

// A button with an icon and words; without words its label is for those who cannot see it.
export function button(label, { icon: name, kind = '', ...rest } = {}) {
  const bare = kind.includes('bare');
  return h('button', { type: 'button', class: `button ${kind}`, 'aria-label': bare ? label : null, title: bare ? label : null, ...rest },
    name ? icon(name) : null, bare ? null : h('span', {}, label));
}
