// Every word of the panel, in one place: here those of the frame, in strings/ those of each page. To translate it, translate these files.

import { devices } from './strings/devices.js';
import { drive } from './strings/drive.js';
import { health } from './strings/health.js';
import { settings } from './strings/settings.js';
import { storage } from './strings/storage.js';

export const t = {
  ...drive,
  ...devices,
  ...storage,
  ...health,
  ...settings,
  name: 'PeerDrive',
  pages: { drive: 'Drive', devices: 'Devices', storage: 'Storage', health: 'Health', activity: 'Activity', settings: 'Settings' },
  skip: 'Skip to the content',
  nav: 'Pages',
  unreachable: 'PeerDrive does not answer. It may be stopping or starting.',
  answered: (status) => `PeerDrive answered ${status}.`,
  justNow: 'just now',
  offline: 'PeerDrive does not answer. Trying again…',
  cancel: 'Cancel',
  close: 'Close',
  save: 'Save',
  saved: 'Saved.',
  undo: 'Undo',
  done: 'Done',
  retry: 'Try again',
  more: 'Show more',
  copy: 'Copy',
  copied: 'Copied.',
  loading: 'Loading…',
  failed: 'That did not work',
  signIn: {
    title: 'Open the panel from this computer',
    lead: 'The panel answers nobody without a link. In a terminal, ask for one and open it here:',
    command: 'peerdrive panel',
    why: 'A link works once, within an hour. After that this browser stays signed in until PeerDrive stops.',
    signedOut: 'You are signed out',
    passphrase: 'Open the panel with your passphrase',
    passphraseWhy: 'This computer asks for it besides the link (setting panel_passphrase).',
    open: 'Open',
  },
};
