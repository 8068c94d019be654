// Which transport the next connection takes, step by step: what the browser tests cannot bring about on purpose.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRoute } from '../../examples/page/js/route.js';

/** A route over nothing; `tried()` is the transport that the next attempt would take. */
function routeOf({ chosen = 'ws', isBlocked = false, isThere = true } = {}) {
  const world = { isThere, probes: 0, marks: [] };
  const open = () => {};
  const route = createRoute({
    transports: { ws: open, sse: open, socketio: open },
    chosen,
    isBlocked,
    reaches: async () => {
      world.probes += 1;
      return world.isThere;
    },
    onBlocked: mark => world.marks.push(mark),
  });
  return { route, world, tried: () => route.state().via };
}

const REFUSED = { heard: false, hung: false };
const HUNG = { heard: false, hung: true };
const TURNED_AWAY = { heard: true, hung: false };

test('one refusal is not enough: the server may have come up between the refusal and the question', async () => {
  const { route, world, tried } = routeOf();
  assert.equal(await route.failed(REFUSED), true);
  assert.equal(tried(), 'ws');
  route.welcomed();
  assert.equal(route.state().isFallback, false);
  // The doubt is over with the welcome: the next loss begins from the start.
  assert.equal(await route.failed(REFUSED), true);
  assert.equal(tried(), 'ws');
  assert.equal(await route.failed(REFUSED), true);
  assert.equal(tried(), 'sse');
  assert.equal(world.probes, 2);
});

test('an attempt that hung while the server answers is enough', async () => {
  const { route, tried } = routeOf();
  assert.equal(await route.failed(HUNG), true);
  assert.equal(tried(), 'sse');
});

test('a server that answers nothing is waited for', async () => {
  const { route, world, tried } = routeOf({ isThere: false });
  for (const how of [REFUSED, HUNG, REFUSED]) {
    assert.equal(await route.failed(how), false);
    assert.equal(tried(), 'ws');
  }
  assert.equal(world.probes, 3);
});

test('a server that says something over WebSocket is not asked for its health', async () => {
  const { route, world, tried } = routeOf();
  assert.equal(await route.failed(TURNED_AWAY), false);
  assert.equal(tried(), 'ws');
  assert.equal(world.probes, 0);
});

test('only a welcome settles it, and then for good', async () => {
  const { route, world, tried } = routeOf();
  await route.failed(HUNG);
  assert.equal(route.state().isFallback, false);
  assert.equal(await route.failed(TURNED_AWAY), false);
  assert.equal(tried(), 'ws');
  await route.failed(HUNG);
  route.welcomed();
  assert.deepEqual(route.state(), { choice: 'ws', via: 'sse', isFallback: true });
  for (const how of [REFUSED, HUNG, TURNED_AWAY]) {
    assert.equal(await route.failed(how), false);
    assert.equal(tried(), 'sse');
  }
  route.welcomed();
  assert.deepEqual(world.marks, [true]);
});

test('what is remembered is believed once, and not remembered anew', async () => {
  const { route, world, tried } = routeOf({ isBlocked: true });
  assert.equal(tried(), 'sse');
  route.welcomed();
  assert.deepEqual(world.marks, []);
  assert.equal(await route.failed(REFUSED), false);
  assert.equal(tried(), 'sse');

  const wrong = routeOf({ isBlocked: true });
  assert.equal(await wrong.route.failed(REFUSED), true);
  assert.equal(wrong.tried(), 'ws');
  wrong.route.welcomed();
  assert.deepEqual(wrong.world.marks, [false]);
});

test('what a person chose is never replaced, but for WebSocket', async () => {
  for (const chosen of ['sse', 'socketio']) {
    const { route, world, tried } = routeOf({ chosen, isBlocked: true });
    for (const how of [REFUSED, HUNG, TURNED_AWAY]) assert.equal(await route.failed(how), false);
    assert.equal(tried(), chosen);
    assert.equal(world.probes, 0);
  }
});

test('a choice made while the server is asked stands', async () => {
  const { route, tried } = routeOf();
  const judged = route.failed(HUNG);
  route.choose('socketio');
  assert.equal(await judged, false);
  assert.equal(tried(), 'socketio');
});
