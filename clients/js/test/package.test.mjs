// The package as others get it: its size, its types, its recipes and its files.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { register } from 'node:module';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const GZIPPED_MAX = 12 * 1024;
const read = name => readFileSync(`${ROOT}/${name}`, 'utf8');
const run = (program, ...args) => spawnSync(program, args, { cwd: ROOT, encoding: 'utf8' });

test('everything is at most 12 KB, minified and gzipped', t => {
  const { length } = gzipSync(readFileSync(`${ROOT}/dist/chat.min.js`), { level: 9 });
  t.diagnostic(`${length} bytes`);
  assert.ok(length <= GZIPPED_MAX, `${length} bytes`);
});

test('the bundle is the package', async () => {
  const [bundle, modules] = await Promise.all([import('../dist/chat.min.js'), import('chat-core-client')]);
  assert.deepEqual(Object.keys(bundle), Object.keys(modules));
});

test('the page of the server has this very client: `npm run page` brings it there', () => {
  assert.ok(readFileSync(`${ROOT}/../../examples/page/js/client.js`, 'utf8') === read('dist/chat.js'), 'it has another one');
});

test('it has no dependencies, and is packed with its types and nothing else', () => {
  const { dependencies, peerDependencies, devDependencies } = JSON.parse(read('package.json'));
  assert.deepEqual([dependencies, peerDependencies, Object.keys(devDependencies)], [undefined, undefined, ['esbuild', 'typescript']]);
  // What is built is there: building it again would pull it from under the other tests.
  const { stdout, stderr } = run('npm', 'pack', '--dry-run', '--json', '--ignore-scripts');
  assert.ok(stdout, stderr);
  const packed = Object.values(JSON.parse(stdout))[0].files.map(({ path }) => path);
  const built = readdirSync(`${ROOT}/dist`).map(name => `dist/${name}`);
  const others = ['LICENSE', 'README.md', 'examples/dom.js', 'examples/use-room.js', 'package.json'];
  assert.deepEqual(packed.sort(), [...built, ...others].sort());
});

test('its types let through what is right, and nothing else', () => {
  const { status, stdout } = run('node_modules/.bin/tsc', '-p', 'test');
  assert.equal(status, 0, stdout);
});

test('ten recipes compile', () => {
  const recipes = [...read('README.md').matchAll(/```ts\n(.*?)```/gs)].map(([, code]) => code);
  assert.equal(recipes.length, 10);
  const folder = `${ROOT}/test/recipes`;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  try {
    const given = "import type { Room as R } from 'chat-core-client';\ndeclare const process: { on(name: string, listener: () => void): void };\n";
    recipes.forEach((code, index) => {
      const room = /\broom\b/.test(code) && !/const room|room: Room/.test(code) ? 'declare const room: R;\n' : '';
      writeFileSync(`${folder}/${index + 1}.ts`, `${given}${room}${code}export type Given = R;\n`);
    });
    writeFileSync(`${folder}/tsconfig.json`, JSON.stringify({
      extends: '../tsconfig.json', compilerOptions: { rootDir: '../..', noUnusedLocals: false }, include: ['*.ts'],
    }));
    const { status, stdout } = run('node_modules/.bin/tsc', '-p', 'test/recipes');
    assert.equal(status, 0, stdout);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('the examples are short', () => {
  for (const name of readdirSync(`${ROOT}/examples`)) {
    const { length } = read(`examples/${name}`).trimEnd().split('\n');
    assert.ok(length <= 40, `${name} has ${length} lines`);
  }
});

/** As much of React as a hook needs: one component, drawn anew by hand. */
const REACT = `
  let slots = [], at = 0, effects = [];
  const isSame = (a, b) => a && a.length === b.length && a.every((one, index) => Object.is(one, b[index]));
  const kept = (make, on) => { const index = at++; if (!isSame(slots[index]?.on, on)) slots[index] = { on, value: make() }; return slots[index].value; };
  export const useCallback = (callback, on) => kept(() => callback, on);
  export const useEffect = (effect, on) => kept(() => effects.push(effect), on);
  export const useState = first => { const slot = kept(() => ({ value: first }), []); return [slot.value, next => { slot.value = next; }]; };
  export const useSyncExternalStore = (subscribe, look) => { kept(() => subscribe(() => { changes += 1; }), [subscribe]); return look(); };
  export let changes = 0;
  export const draw = component => { at = 0; const drawn = component(); effects.splice(0).forEach(effect => effect()); return drawn; };
`;

test('the hook gives what the room is, and again whenever that has changed', async () => {
  const react = `data:text/javascript,${encodeURIComponent(REACT)}`;
  const resolve = `export const resolve = (name, context, next) => name === 'react' ? { url: ${JSON.stringify(react)}, shortCircuit: true } : next(name, context);`;
  register(`data:text/javascript,${encodeURIComponent(resolve)}`);
  const { useRoom } = await import('../examples/use-room.js');
  const drawing = await import(react);
  const { JOINED, ROOM, message, script, turn } = await import('./support/script.mjs');
  const it = script();
  const component = () => useRoom(it.client, ROOM, 'Bob');
  assert.deepEqual(drawing.draw(component), { room: null, state: null, error: null });
  it.line.welcome();
  it.line.answer('join', JOINED);
  await turn();
  assert.equal(drawing.draw(component).state.status, 'live');
  it.line.tell(message(3, 'hello'));
  assert.equal(drawing.changes, 1);
  assert.equal(drawing.draw(component).state.messages[0].text, 'hello');
});
