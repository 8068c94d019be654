// Words for times: the clock of a message, the day it belongs to, and how the page says both.

const CLOCK = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const FULL = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'medium' });
const UNTIL = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'short' });
const DAY = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long' });
const DAY_OF_YEAR = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'long', year: 'numeric' });

const RELATIVE = new Intl.RelativeTimeFormat(undefined, { numeric: 'auto' });

/** `Today` and `Yesterday`, as the reader's language has them at the beginning of a line. */
function near(days) {
  const words = RELATIVE.format(days, 'day');
  return words[0].toLocaleUpperCase() + words.slice(1);
}

/** Hours and minutes, as the reader's locale writes them. */
export const clock = at => CLOCK.format(new Date(at));

/** Date and time in full, for those who want to know. */
export const fullTime = at => FULL.format(new Date(at));

/** Date and time to the minute, for what lasts until then. */
export const untilTime = at => UNTIL.format(new Date(at));

/** The local day: equal for two times exactly when no separator belongs between them. */
export function dayOf(at) {
  const date = new Date(at);
  const two = number => String(number).padStart(2, '0');
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

/** What a day is called, seen from `now`. */
export function dayName(day, now = Date.now()) {
  if (day === dayOf(now)) return near(0);
  const yesterday = new Date(now);
  yesterday.setDate(yesterday.getDate() - 1);
  if (day === dayOf(yesterday)) return near(-1);
  const date = new Date(`${day}T12:00:00`);
  return (date.getFullYear() === new Date(now).getFullYear() ? DAY : DAY_OF_YEAR).format(date);
}
