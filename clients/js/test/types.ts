// What a program that uses the package may write, and what it may not: compiled, and never run.

import { connect, isChatError, newRoom, reduce, sseAt, webSocketAt } from 'chat-core-client';
import type { ChatError, ErrorCode, Message, Opener, Room, RoomState, Storage } from 'chat-core-client';

const storage: Storage = sessionStorage;
/** A transport of one's own, around one of the package. */
const traced: Opener = (hello, handlers) => {
  const open = hello.resume === undefined ? webSocketAt(location.origin) : sseAt(location.origin);
  return open(hello, { ...handlers, onFrame: frame => void [frame.type, handlers.onFrame(frame)] });
};
const client = connect({
  url: 'https://chat.example.org',
  credentials: async why => `token for ${why satisfies 'connect' | 'expiring' | 'expired'}`,
  transports: ['ws', ['traced', traced], 'sse'],
  storage,
});

export async function use(): Promise<void> {
  const room: Room = await client.join('LUNCH', { nick: 'Ann', data: { id: 'u1' } });
  const { seq, at }: { seq: number; at: string } = await room.send('hello', { key: 'k', data: { a: [1, null] }, replyTo: 3 });
  room.on('message', ({ nick, text, seq }) => void [nick, text, seq]);
  room.on('change', (state: RoomState) => void (state.messages satisfies readonly Message[]));
  room.on('ended', ({ why, until }) => void [why satisfies string, until satisfies string | undefined]);
  try {
    await room.edit(seq, at);
  } catch (error) {
    if (isChatError(error, 'banned')) void (error.code satisfies 'banned');
    else if (isChatError(error)) void (error.code satisfies ErrorCode);
    else throw error;
  }
  // @ts-expect-error: a state is not to be changed
  room.state.seq = 7;
  // @ts-expect-error: there is no such code
  isChatError(null, 'no_such_code');
  // @ts-expect-error: there is no such event
  room.on('mesage', () => {});
  // @ts-expect-error: nobody enters without a name
  void client.join('LUNCH', {});
}

export const fold = reduce(newRoom('LUNCH'), { type: 'typing', room: 'LUNCH', members: [1] });
export const worst: ChatError<'outcome_unknown'>['code'] = 'outcome_unknown';
