export type Align = 'left' | 'right';

export interface Table {
  readonly head: readonly string[];
  readonly align: readonly Align[];
  readonly rows: readonly (readonly string[])[];
}

/** A table for a terminal: columns of equal width. */
export function textTable({ head, align, rows }: Table): string {
  // One by one: a model may have more tensors than a call takes arguments.
  const widths = head.map((title, i) => rows.reduce((most, row) => Math.max(most, row[i]?.length ?? 0), title.length));
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, i) => (align[i] === 'right' ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0)))
      .join('  ')
      .trimEnd();
  return [head, widths.map((width) => '─'.repeat(width)), ...rows].map((row) => `${line(row)}\n`).join('');
}

/** The same as Markdown. */
export function markdownTable({ head, align, rows }: Table): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |\n`;
  return line(head) + line(align.map((side) => (side === 'right' ? '---:' : '---'))) + rows.map(line).join('');
}
