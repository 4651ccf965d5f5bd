/** 124,439,808 */
export function count(n: number): string {
  return n.toLocaleString('en-US');
}

/** '1 tensor', '148 tensors'. */
export function counted(n: number, noun: string): string {
  return `${count(n)} ${noun}${n === 1 ? '' : 's'}`;
}

const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'] as const;

/** Bytes in decimal units, three digits: '498 MB', '1.24 GB'. */
export function size(bytes: number): string {
  let unit = 0;
  let value = bytes;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${Number(value.toPrecision(3))} ${units[unit]}`;
}

/** Seconds in at most two units: '8 s', '3 min 20 s', '2 h 5 min'; '?' if it is not known. */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return '?';
  const whole = Math.max(0, Math.ceil(seconds));
  const minutes = Math.floor(whole / 60);
  if (minutes === 0) return `${whole} s`;
  return minutes < 60 ? `${minutes} min ${whole % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** What a terminal acts on, or shows as nothing: control characters, marks of direction and the like, halves of surrogate pairs. */
const unprintable = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

const nameAndPassword = /((?:https?|rediss?):\/\/)[^\s/?#\\]*@/gi;

/** Addresses without the names and passwords in them, which logs should not keep. */
export const withoutPassword = (text: string): string => text.replace(nameAndPassword, '$1');

/**
 * Foreign text for people to see, in one line: what is not printable is written as in JSON (`\u001b`, `\n`), and passwords of addresses are left out. All
 * foreign text passes here.
 */
export const printable = (text: string): string => escaped(withoutPassword(text));

/** Text with what is not printable as in JSON; JSON stays what it is. */
export function escaped(text: string): string {
  return text.replace(unprintable, (character) => {
    const short = JSON.stringify(character).slice(1, -1);
    if (short !== character) return short;
    const units = Array.from({ length: character.length }, (_, i) => character.charCodeAt(i));
    return units.map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`).join('');
  });
}

const mostShownSizes = 16;

/** A shape for messages: [2, 3], []. Of very many dimensions the first. */
export function shapeText(shape: readonly number[], separator = ', '): string {
  const more = shape.length > mostShownSizes ? [`… (${count(shape.length)} dimensions)`] : [];
  return `[${[...shape.slice(0, mostShownSizes), ...more].join(separator)}]`;
}

/** Lists of all families that nninit knows are shorter, and what callers give may be megabytes. */
const longestMessage = 8000;

/** A message as it may be shown: printable, and with its beginning and its end alone where it is too long to be read. */
export function messageText(text: string): string {
  const message = printable(text);
  if (message.length <= longestMessage) return message;
  return `${message.slice(0, longestMessage / 2)} … ${message.slice(-longestMessage / 2)}`;
}
