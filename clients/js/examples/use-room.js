// A room as a React hook: whatever changes in the room draws the component anew.

import { useCallback, useEffect, useState, useSyncExternalStore } from 'react';

const NOTHING = () => {};

/**
 * Joins a room for as long as the component shows it. Gives its `state` (null until one is in), the `room` to act on, and the `error` where one
 * is not let in: `const { room, state, error } = useRoom(client, 'LUNCH', 'Ann')`, with one `client` of `connect()` for the whole page.
 */
export function useRoom(client, code, nick) {
  const [{ room, error }, set] = useState({ room: null, error: null });

  useEffect(() => {
    let isShown = true;
    client.join(code, { nick }).then(
      room => isShown && set({ room, error: null }),
      error => isShown && set({ room: null, error }),
    );
    return () => { isShown = false; };
  }, [client, code, nick]);

  const subscribe = useCallback(listener => room?.on('change', listener) ?? NOTHING, [room]);
  // A state is never changed, and another one made for every change: React compares them as they are.
  const state = useSyncExternalStore(subscribe, () => room?.state ?? null, () => null);
  return { room, state, error };
}
