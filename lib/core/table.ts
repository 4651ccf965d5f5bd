import { printable } from './text.js';

/** 'point' has numbers stand with their decimal points, or where those would be, under one another. */
export type Align = 'left' | 'right' | 'point';

export interface Table {
  readonly head: readonly string[];
  readonly align: readonly Align[];
  readonly rows: readonly (readonly string[])[];
}

/** A table for a terminal: columns of equal width. */
export function textTable({ head, align, rows: given }: Table): string {
  const rows = pointsAligned(
    given.map((row) => row.map(printable)),
    align,
  );
  // One by one: a model may have more tensors than a call takes arguments.
  const widths = head.map((title, i) => rows.reduce((most, row) => Math.max(most, row[i]?.length ?? 0), title.length));
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, i) => (align[i] === 'left' ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
      .join('  ')
      .trimEnd();
  return [head, widths.map((width) => '─'.repeat(width)), ...rows].map((row) => `${line(row)}\n`).join('');
}

/** Fills up what follows the digits before the point, to one length in a column. */
function pointsAligned(rows: readonly (readonly string[])[], align: readonly Align[]): readonly (readonly string[])[] {
  const parts = (cell: string) => /^([\d,]*)((?:\.\d+)?)(.*)$/s.exec(cell)?.slice(1) ?? ['', '', cell];
  const longest = (i: number, part: 1 | 2) =>
    rows.reduce((most, row) => Math.max(most, parts(row[i] ?? '')[part]?.length ?? 0), 0);
  const widths = align.map((side, i) => (side === 'point' ? ([longest(i, 1), longest(i, 2)] as const) : undefined));
  return rows.map((row) =>
    row.map((cell, i) => {
      const width = widths[i];
      if (width === undefined) return cell;
      const [whole, fraction = '', unit = ''] = parts(cell);
      return `${whole}${fraction.padEnd(width[0])}${unit.padEnd(width[1])}`;
    }),
  );
}

/** The same as Markdown. */
export function markdownTable({ head, align, rows }: Table): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |\n`;
  return (
    line(head) +
    line(align.map((side) => (side === 'left' ? '---' : '---:'))) +
    rows.map((row) => line(row.map(printable))).join('')
  );
}
