'use strict';

const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const vscode = require('vscode');
const { extension, ready, run, until, withPerson } = require('./common');

const settings = () => vscode.workspace.getConfiguration('goalproof');
const { Workspace } = vscode.ConfigurationTarget;

/** Makes an environment that has goalproof, seen through a `.pth` file, and returns its Python. */
function makeEnvironment(folder) {
  execFileSync('python3', ['-m', 'venv', '--without-pip', folder]);
  const python = path.join(folder, 'bin', 'python');
  const ask = 'import sysconfig; print(sysconfig.get_path("purelib"))';
  const library = execFileSync(python, ['-c', ask], { encoding: 'utf8' }).trim();
  fs.writeFileSync(path.join(library, 'goalproof.pth'), `${findLibraries().join('\n')}\n`);
  return python;
}

/** Returns where the bundled libraries are for the `python3` on PATH. */
function findLibraries() {
  const ask = 'import sys; print("cp%d%d" % sys.version_info[:2])';
  const tag = execFileSync('python3', ['-c', ask], { encoding: 'utf8' }).trim();
  const libs = path.join(extension().extensionPath, 'bundled', 'libs');
  return [path.join(libs, 'common'), path.join(libs, tag)];
}

const OTHER_VERSION = (places) => `#!/usr/bin/env python3
import sys
sys.path[:0] = ${JSON.stringify(places)}
import importlib.metadata as metadata
real = metadata.version
metadata.version = lambda name: "9.0.0" if name == "goalproof" else real(name)
from goal_server.lsp import main
sys.exit(main())
`;

async function withSetting(name, value, work) {
  const api = await ready();
  const { showErrorMessage, showWarningMessage } = vscode.window;
  const shown = [];
  vscode.window.showErrorMessage = async (...args) => void shown.push(args);
  vscode.window.showWarningMessage = vscode.window.showErrorMessage;
  try {
    await settings().update(name, value, Workspace);
    await work(api, shown);
  } finally {
    await settings().update(name, undefined, Workspace);
    await until('the server is ready again', () => api.state() === 'ready', 60_000);
    Object.assign(vscode.window, { showErrorMessage, showWarningMessage });
  }
}

module.exports = {
  'a restart ends in a server that answers': async () => {
    const api = await ready();
    await run('goalproof.restart');
    await until('the server is ready', () => api.state() === 'ready', 60_000);
    assert.ok((await run('goal.list', {})).goals);
  },

  'a server that is killed is started again by itself': async () => {
    const api = await ready();
    const killed = api.pid();
    process.kill(killed, 'SIGKILL');
    await until('another server', () => api.state() === 'ready' && api.pid() !== killed, 60_000);
    assert.ok((await run('goal.list', {})).goals);
  },

  'the interpreters to choose from are those that were asked, with what is wrong with them':
    async () => {
      const { asked } = await withPerson({}, () => run('goalproof.selectInterpreter'));
      const items = asked[0].args[0];
      assert.ok(
        items.some((item) => /^\$\(pass\) Python 3\.\d+/.test(item.label)),
        JSON.stringify(items),
      );
      assert.deepEqual(
        items.slice(-2).map((item) => item.label.replace(/^\S+ /, '')),
        ['Browse…', 'Choose automatically'],
      );
    },

  'the server of an environment is used where that is wanted, and missed where it is not there':
    async () => {
      const api = await ready();
      await withSetting('importStrategy', 'fromEnvironment', async (_api, shown) => {
        await until('the server is missed', () => api.state() === 'failed', 60_000);
        assert.match(shown[0][0], /no Python that has goalproof installed/);
        const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'goalproof-venv-'));
        try {
          const python = makeEnvironment(folder);
          await settings().update('interpreter', python, Workspace);
          await until(
            'the server of the environment',
            () => /^goalproof \d/.test(api.words()),
            60_000,
          );
          assert.ok((await run('goal.list', {})).goals);
        } finally {
          await settings().update('interpreter', undefined, Workspace);
          fs.rmSync(folder, { recursive: true });
        }
      });
      assert.match(api.words(), /^bundled server/);
    },

  'an interpreter that is not there is named, and everything works again without it': async () => {
    await withSetting('interpreter', '/nowhere/python3', async (api, shown) => {
      await until('the server has failed', () => api.state() === 'failed');
      assert.match(shown[0][0], /\/nowhere\/python3.*is not there/);
      assert.ok(shown[0].includes('Select Interpreter') && shown[0].includes('Restart'));
      const there = await vscode.commands.getCommands(true);
      assert.ok(there.includes('goalproof.restart') && there.includes('goalproof.newGoal'));
    });
  },

  'a server of another version works on, and that is said': async () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'goalproof-other-'));
    const program = path.join(folder, 'goalproof');
    fs.writeFileSync(program, OTHER_VERSION(findLibraries()), { mode: 0o755 });
    try {
      await withSetting('path', program, async (api, shown) => {
        await until(
          'that server',
          () => api.state() === 'ready' && api.words().startsWith(program),
          60_000,
        );
        assert.match(shown[0][0], /The extension is \S+ and the server is 9\.0\.0/);
        assert.ok((await run('goal.list', {})).goals);
      });
    } finally {
      fs.rmSync(folder, { recursive: true });
    }
  },

  'a server that ends at once is given up after a few tries': async () => {
    await withSetting('path', '/bin/false', async (api, shown) => {
      await until('the server has failed', () => api.state() === 'failed', 60_000);
      assert.equal(shown.length, 1, JSON.stringify(shown));
      assert.match(shown[0][0], /ended five times/);
    });
  },
};
