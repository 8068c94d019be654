// Runs the tests with Node's own runner; Node 20 has a WebSocket behind a flag.

import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('../test', import.meta.url));
const named = process.argv.slice(2);
const files = readdirSync(folder).filter(name => name.endsWith('.test.mjs') && (named.length === 0 || named.some(word => name.includes(word))));
const flags = globalThis.WebSocket === undefined ? ['--experimental-websocket', '--disable-warning=ExperimentalWarning'] : [];
const { status } = spawnSync(process.execPath, [...flags, '--test', ...files.sort().map(name => `test/${name}`)], {
  cwd: fileURLToPath(new URL('..', import.meta.url)), stdio: 'inherit',
});
process.exit(status ?? 1);
