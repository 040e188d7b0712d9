// Builds dist/: the page, and the client as a module of its own with declarations. dist/ is what a server hands out.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const dist = join(root, 'dist');
const common = { bundle: true, format: 'esm', target: ['es2022'], sourcemap: true, logLevel: 'warning', legalComments: 'none' };

rmSync(dist, { recursive: true, force: true });
mkdirSync(join(dist, 'fonts'), { recursive: true });

await build({ ...common, entryPoints: [join(root, 'client/index.ts')], outfile: join(dist, 'client/index.js') });
await build({ ...common, entryPoints: [join(root, 'page/main.ts')], outfile: join(dist, 'app.js'), minify: true });
await build({ ...common, entryPoints: [join(root, 'page/styles/main.css')], outfile: join(dist, 'app.css'), minify: true, external: ['*.woff2'] });

const compiler = join(root, 'node_modules/typescript/bin/tsc');
const declarations = spawnSync(process.execPath, [compiler, '-p', join(root, 'tsconfig.declarations.json')], { stdio: 'inherit' });
if (declarations.status !== 0) process.exit(declarations.status ?? 1);

for (const name of ['index.html', 'icon.svg']) cpSync(join(root, 'page', name), join(dist, name));
const font = join(root, 'node_modules/@fontsource-variable/instrument-sans');
cpSync(join(font, 'files/instrument-sans-latin-wght-normal.woff2'), join(dist, 'fonts/instrument-sans.woff2'));
cpSync(join(font, 'LICENSE'), join(dist, 'fonts/instrument-sans-LICENSE.txt'));
