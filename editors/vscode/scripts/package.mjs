// Builds goalproof-<version>-<platform>.vsix: the extension, and the server in it for this platform.

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';

const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
const platform = { win32: 'win32', darwin: 'darwin' }[process.platform] ?? 'linux';
const target = `${platform}-${process.arch === 'arm64' ? 'arm64' : 'x64'}`;

function run(command, ...args) {
  const { status } = spawnSync(command, args, { stdio: 'inherit' });
  if (status !== 0) {
    process.exit(status ?? 1);
  }
}

if (!existsSync('bundled/libs/common/goal_server')) {
  run('python3', 'scripts/bundle.py');
}
run(
  'npx',
  ...['vsce', 'package', '--no-dependencies', '--allow-missing-repository', '--target', target],
  ...['-o', `goalproof-${version}-${target}.vsix`],
);
