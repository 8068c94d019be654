// Compiles the sources to modules with their types, and bundles them once more, minified, for pages without a bundler.

import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname ?? new URL('.', import.meta.url).pathname, '..');
const run = (program, ...args) => execFileSync(join(root, 'node_modules/.bin', program), args, { cwd: root, stdio: 'inherit' });

rmSync(join(root, 'dist'), { recursive: true, force: true });
run('tsc', '-p', '.');
run('esbuild', 'src/index.ts', '--bundle', '--minify', '--format=esm', '--target=es2022', '--outfile=dist/chat.min.js', '--log-level=warning');
