// What runs from right to left, or says that it does, turns around nothing beside it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EVERY_BROWSER, hear, notice, notices, PHONE, withBrowser } from './chat.mjs';
import { ANN, at, BOB, enterLab, message, serveScript } from './scripted.mjs';

const ADA = { ...ANN, member: 3, nick: '\u05D0\u05D3\u05D4', color: 1, role: 'member' };
const GAD = { ...ANN, member: 4, nick: '\u05D2\u05D3', color: 2, role: 'member' };
const OVERRIDE = '\u202E';

/** Where parts of the page are, by selector or as the nodes of a locator, from the left. */
const edges = locator => locator.evaluateAll(nodes => nodes.map(node => {
  const { left, right } = node.getBoundingClientRect();
  return { left, right };
}));

withBrowser('bidi', chat => {
  const told = { members: [BOB, ANN, ADA, GAD], topic: '\u05E6\u05D4\u05E8\u05D9\u05D9\u05DD (13:00)' };

  test('names that stand in a row stand in the order of the row', async () => {
    const { bob, line } = await enterLab(chat, told);
    line.send({ type: 'typing', room: 'LAB', members: [3, 4, 1] });
    await bob.getByText('are typing').waitFor();
    assert.equal(await bob.locator('#typing').textContent(), `${ADA.nick}, ${GAD.nick} and Ann are typing`);
    const [ada, gad, ann] = await edges(bob.locator('#typing bdi'));
    assert.ok(ada.right <= gad.left && gad.right <= ann.left, JSON.stringify([ada, gad, ann]));
  });

  test('a name stands before what its bearer says', async () => {
    const { bob, line } = await enterLab(chat, told);
    line.send(message(11, '\u05E9\u05DC\u05D5\u05DD', ADA));
    await hear(bob, '\u05E9\u05DC\u05D5\u05DD');
    const [nick, text] = await edges(bob.locator('.room-item .preview bdi'));
    assert.ok(nick.right <= text.left, JSON.stringify([nick, text]));
    const running = locator => locator.evaluate(node => getComputedStyle(node).direction);
    assert.equal(await running(bob.locator('.message .text')), 'rtl');
    assert.equal(await running(bob.locator('.message .nick')), 'rtl');
    assert.equal(await running(bob.locator('#topic')), 'rtl');
    assert.equal(await running(bob.locator('.message .bubble')), 'ltr');
  });

  test('a topic that turns itself around leaves the time beside it as it is', async () => {
    const { bob, line } = await enterLab(chat, told);
    // From a log of earlier: a server of today takes no such topic.
    line.send({ type: 'topic_changed', room: 'LAB', seq: 11, at: at(11), topic: `${OVERRIDE}lunch`, by: 1 });
    await notice(bob, 'Ann set the topic');
    assert.deepEqual(await notices(bob), [`Ann set the topic: ${OVERRIDE}lunch`]);
    const [, topic] = await edges(bob.locator('.notice bdi'));
    const [time] = await edges(bob.locator('.notice time'));
    assert.ok(topic.right <= time.left, JSON.stringify([topic, time]));
  });

  test('each line of a message runs its own way, and an address in it too', async () => {
    const { bob, line } = await enterLab(chat, told);
    const text = `\u05E9\u05DC\u05D5\u05DD http://host/a?b=1 !\n${OVERRIDE}turned\nplain?`;
    line.send(message(11, text, ADA));
    await hear(bob, text);
    assert.equal(await bob.locator('.message .text a').getAttribute('href'), 'http://host/a?b=1');
    const order = await bob.locator('.message .text').evaluate(node => {
      const whole = node.lastChild;
      const place = offset => {
        const range = document.createRange();
        range.setStart(whole, offset);
        range.setEnd(whole, offset + 1);
        return range.getBoundingClientRect().left;
      };
      const plain = whole.data.indexOf('plain?');
      const turned = whole.data.indexOf('turned');
      return { plain: place(plain + 5) - place(plain), turned: place(turned + 5) - place(turned) };
    });
    assert.ok(order.plain > 0, 'the question mark is at the right end of a line from left to right');
    assert.ok(order.turned < 0, 'what turns its own line around does so');
  });

  test('a member is asked about by name, whichever way that runs', async () => {
    const { bob } = await enterLab(chat, { ...told, you: { ...BOB, role: 'owner' } });
    const ada = bob.locator('.member', { hasText: ADA.nick });
    await ada.hover();
    await ada.getByRole('button', { name: /^Remove/ }).click();
    await bob.getByRole('heading', { name: `Remove ${ADA.nick} from the room?` }).waitFor();
    assert.equal(await bob.locator('#dialog-title bdi').textContent(), ADA.nick);
    await bob.getByRole('button', { name: 'Cancel' }).click();
  });

  test('in a page from right to left all stands at the other side, and what the page says still runs its own way', async () => {
    const { bob, line } = await enterLab(chat, told, PHONE);
    await bob.evaluate(() => { document.documentElement.dir = 'rtl'; });
    line.send(message(11, 'one'), message(12, 'two'), { type: 'typing', room: 'LAB', members: [1] });
    await bob.getByText('Ann is typing').waitFor();
    const within = (inner, outer) => bob.evaluate(([one, other]) => {
      const boxOf = query => document.querySelector(query).getBoundingClientRect();
      const textOf = query => {
        const range = document.createRange();
        range.selectNodeContents(document.querySelector(query));
        return range.getBoundingClientRect();
      };
      const [a, b] = [textOf(one), boxOf(other)];
      return { left: a.left - b.left, right: b.right - a.right };
    }, [inner, outer]);
    for (const [inner, outer] of [['.message .nick', '.message .bubble'], ['#typing', '#typing'], ['.preview', '.room-item']]) {
      const { left, right } = await within(inner, outer);
      assert.ok(right < left, `${inner} stands ${left} px from the left and ${right} px from the right`);
    }
    const [ann] = await edges(bob.locator('#typing bdi'));
    const { left } = await bob.locator('#typing').evaluate(node => {
      const range = document.createRange();
      range.selectNode(node.lastChild);
      return range.getBoundingClientRect();
    });
    assert.ok(ann.right <= left + 1, 'the name stands before what the page says of it');
    const width = await bob.evaluate(() => document.documentElement.clientWidth);
    const opened = id => bob.waitForFunction(([drawer, all]) => {
      const { left: from, right: to } = document.getElementById(drawer).getBoundingClientRect();
      return drawer === 'sidebar' ? to === all && from > 0 : from === 0 && to < all;
    }, [id, width]);
    await bob.getByRole('button', { name: 'Rooms', exact: true }).click();
    await opened('sidebar');
    await bob.keyboard.press('Escape');
    await bob.getByRole('button', { name: /^Members/ }).click();
    await opened('members');
  });
}, { serve: serveScript, browsers: EVERY_BROWSER });
