// Compiles the sources to modules with their types, and bundles them twice more: minified, for pages without a bundler, and to be read, for the page of the server.
// With `--page` that page gets the bundle.

import { execFileSync } from 'node:child_process';
import { copyFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname ?? new URL('.', import.meta.url).pathname, '..');
const run = (program, ...args) => execFileSync(join(root, 'node_modules/.bin', program), args, { cwd: root, stdio: 'inherit' });

rmSync(join(root, 'dist'), { recursive: true, force: true });
run('tsc', '-p', '.');
const bundle = (file, ...args) =>
  run('esbuild', 'src/index.ts', '--bundle', '--format=esm', '--target=es2022', `--outfile=dist/${file}`, '--log-level=warning', ...args);
bundle('chat.min.js', '--minify');
bundle('chat.js', '--banner:js=// The client of `clients/js`, bundled: built there by `npm run page`, and never edited here.');
if (process.argv.includes('--page')) copyFileSync(join(root, 'dist/chat.js'), join(root, '../../examples/page/js/client.js'));
