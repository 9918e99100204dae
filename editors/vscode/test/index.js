// Run inside VS Code's extension host (`extensionTestsPath`): exports `run()`.
//
// The workspace has to be the project of tests/integration/projects.py: `calc.add` subtracts.  What
// was found is written to `$TEST_RESULT`, as JSON: {tests: [{n, ok, e?}], version, appName}.

'use strict';

const fs = require('node:fs');
const vscode = require('vscode');

const SUITES = ['start', 'goal', 'log', 'people', 'manual', 'server'].map((one) => `./host/${one}`);

exports.run = async function run() {
  const found = { tests: [], version: vscode.version, appName: vscode.env.appName };
  for (const suite of SUITES) {
    for (const [name, test] of Object.entries(require(suite))) {
      const begun = Date.now();
      try {
        await test();
        found.tests.push({ n: name, ok: true, ms: Date.now() - begun });
      } catch (error) {
        found.tests.push({
          n: name,
          ok: false,
          e: error instanceof Error ? error.stack : String(error),
        });
      }
    }
  }
  const place = process.env.TEST_RESULT;
  if (place) {
    fs.writeFileSync(`${place}.part`, JSON.stringify(found, null, 1));
    fs.renameSync(`${place}.part`, place);
  }
  const failed = found.tests.filter((test) => !test.ok);
  if (failed.length > 0) {
    throw new Error(
      `${failed.length} of ${found.tests.length} failed: ${failed.map((t) => t.n).join('; ')}`,
    );
  }
};
