// The packages and the build of web/, reached from here: these tests have no packages of their own.
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const web = join(dirname(fileURLToPath(import.meta.url)), '../../web');
const require = createRequire(join(web, 'package.json'));

/** The built page, as a server hands it out. */
export const WEB_DIST = join(web, 'dist');

if (!existsSync(join(WEB_DIST, 'client/index.js'))) {
  throw new Error('web/dist is missing: run "npm ci" and "npm run build" in web/ first');
}

export const { WebSocket } = require('ws');
export const { chromium } = require('playwright-core');
export const { LiveClient, channelAddress } = await import(join(WEB_DIST, 'client/index.js'));
