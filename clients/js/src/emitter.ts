// Listeners by the name of what they hear.

export class Emitter<Events extends object> {
  readonly #listeners = new Map<keyof Events, Set<(event: never) => void>>();

  /** Calls `listener` from now on, until what is returned is called. */
  on<E extends keyof Events>(name: E, listener: (event: Events[E]) => void): () => void {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners.add(listener));
    return () => void listeners.delete(listener);
  }

  /** What a listener throws is reported, and harms neither the others nor the connection. */
  protected emit<E extends keyof Events>(name: E, event: Events[E]): void {
    for (const listener of [...this.#listeners.get(name) ?? []]) {
      try {
        (listener as (event: Events[E]) => void)(event);
      } catch (error) {
        queueMicrotask(() => { throw error; });
      }
    }
  }
}
