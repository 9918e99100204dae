// Bundles the unit tests, none of which needs an editor, and runs them with `node --test`.

import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { build } from 'esbuild';

const tests = readdirSync('test/unit').filter((name) => name.endsWith('.test.ts'));
await build({
  entryPoints: tests.map((name) => `test/unit/${name}`),
  bundle: true,
  platform: 'node',
  format: 'esm',
  outExtension: { '.js': '.mjs' },
  outdir: 'build/unit',
  sourcemap: 'inline',
});
const files = tests.map((name) => `build/unit/${name.replace(/\.ts$/, '.mjs')}`);
const { status } = spawnSync(process.execPath, ['--enable-source-maps', '--test', ...files], {
  stdio: 'inherit',
});
process.exit(status ?? 1);
