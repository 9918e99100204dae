'use strict';

const assert = require('node:assert/strict');
const vscode = require('vscode');
const { extension, ready } = require('./common');

module.exports = {
  'the extension activates and its server answers': async () => {
    const api = await ready();
    assert.ok(extension().isActive);
    assert.equal(api.state(), 'ready');
  },

  'every command of the manifest is registered': async () => {
    const there = new Set(await vscode.commands.getCommands(true));
    const wanted = extension().packageJSON.contributes.commands.map((one) => one.command);
    assert.deepEqual(
      wanted.filter((command) => !there.has(command)),
      [],
    );
  },

  'the server announces its own commands beside them': async () => {
    const there = new Set(await vscode.commands.getCommands(true));
    assert.ok(there.has('goal.run') && there.has('goal.diff'));
  },

  'what needs a server says so in its enablement, what repairs one does not': () => {
    const commands = extension().packageJSON.contributes.commands;
    const free = commands.filter((one) => !one.enablement).map((one) => one.command);
    assert.deepEqual(free.sort(), [
      'goalproof.refresh',
      'goalproof.restart',
      'goalproof.selectInterpreter',
      'goalproof.showOutput',
      'goalproof.statusMenu',
    ]);
  },

  'every menu names a command that there is': () => {
    const { commands, menus } = extension().packageJSON.contributes;
    const there = new Set(commands.map((one) => one.command));
    const named = Object.values(menus).flat();
    assert.deepEqual(
      named.filter((one) => !there.has(one.command)),
      [],
    );
  },
};
