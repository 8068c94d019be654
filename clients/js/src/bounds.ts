// Every bound of the client, with its reason. Constants alone: a bundler puts each where it is used.

/** The first wait for a lost server is up to this, and each further one up to twice as long. */
export const BACKOFF_MIN_MS = 500;
/** A server that comes back is found again within this time. */
export const BACKOFF_MAX_MS = 20_000;
/** Longer than this to reach the server, or from there to a `welcome`, and nothing gets through. */
export const WELCOME_MS_MAX = 10_000;
/** A connection that held for so long was a good one: the next loss starts from the first wait again. */
export const STEADY_MS = 5_000;
/** For so long another transport is taken first, where it got through and the one before it did not. */
export const FALLBACK_MS = 10 * 60_000;
/** Nothing was heard for so long over a transport that says nothing by itself: it is asked whether it lives. */
export const SILENCE_MS_MAX = 45_000;
/** Over SSE the server speaks every 15 seconds; silence for more than twice as long is a lost connection. */
export const STREAM_SILENCE_MS_MAX = 35_000;
/** How long a connection has to show that it lives. */
export const PROBE_MS_MAX = 5_000;
/** How often it is looked whether time has passed in which nothing ran. */
export const TICK_MS = 20_000;
/** So many bytes on their way, and what passes is not said at all. */
export const BUFFERED_MAX = 65_536;
/** How long the program has to say who one is: whoever has to be asked may need a while. */
export const CREDENTIALS_MS_MAX = 60_000;
/** A page that goes lets its lock go a moment later: so long after, it is asked once more. */
export const AGAIN_MS = 200;

/** Longer than this without any answer, and the connection is dead although nobody said so. */
export const ANSWER_MS_MAX = 15_000;
/** Longer than this for one answer, whatever else was answered. */
export const ONE_MS_MAX = 60_000;
/** Commands in flight, as long as the server does not say. */
export const IN_FLIGHT = 32;
/** Commands that wait to be sent; past that whoever asks is told `busy`. */
export const QUEUE_MAX = 256;
/** How long to wait before asking again what could not be answered, where nobody says how long. */
export const PAUSE_MS = 1_000;
/** How often a typing signal is renewed; the server forgets it after 6 seconds. */
export const TYPING_RENEWAL_MS = 3_000;

/** Messages and the like that wait to be sent in one room. */
export const OUTBOX_MAX = 256;
/**
 * So many connections may be lost over one command: it may be what they do not survive, and what comes after it must go on. On a bad line a few are
 * lost over whatever is under way.
 */
export const LOSSES_MAX = 8;

/** Messages held at most, before any page of history. */
export const HELD_MAX = 1_000;
/** A hole of more events than this is not read: what is older than it is dropped. */
export const HOLE_MAX = 500;
/** How many people a message names beside a reaction. */
export const NAMED_MAX = 8;
