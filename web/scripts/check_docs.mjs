// Type-checks every TypeScript block of docs/client.md, each as a module of its own beside a folder client/.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const out = join(root, '.test-build/docs');
const page = readFileSync(join(root, '../docs/client.md'), 'utf8');
const blocks = [...page.matchAll(/^```ts\n([^]*?)^```$/gm)].map((match) => match[1]);
if (blocks.length === 0) throw new Error('docs/client.md has no TypeScript block');

rmSync(out, { recursive: true, force: true });
mkdirSync(join(out, 'client'), { recursive: true });
writeFileSync(join(out, 'client/index.ts'), "export * from '../../../client/index.js';\n");
for (const [index, block] of blocks.entries()) writeFileSync(join(out, `block_${index + 1}.ts`), block);
writeFileSync(join(out, 'tsconfig.json'), JSON.stringify({ extends: '../../tsconfig.json', compilerOptions: { noUnusedLocals: false }, include: ['*.ts'] }));
const checked = spawnSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', join(out, 'tsconfig.json')], { stdio: 'inherit' });
if (checked.status === 0) console.log(`docs/client.md: ${blocks.length} blocks check`);
process.exit(checked.status ?? 1);
