/** Layers one after another with equal rows, which a table shows once. */
interface Block {
  /** Up to the layer's number; undefined for rows of no layer. */
  readonly prefix: string | undefined;
  readonly first: number;
  last: number;
  /** Without the prefix and the number. */
  readonly rows: string[][];
}

/** Fewer are shown one by one. */
const fewest = 3;

/**
 * Rows whose first cell is a tensor's name and whose last is its bytes, with equal layers as one: `h.{0..11}.ln_1.weight`, `12 × 3,072`. The braces
 * are those of recipes and globs.
 */
export function foldLayers(rows: readonly (readonly string[])[]): string[][] {
  const blocks: Block[] = [];
  for (const [name = '', ...cells] of rows) {
    const [, prefix, number = '', rest = name] = /^((?:[^.]*\.)*?)(\d+)\.(.*)$/s.exec(name) ?? [];
    const block = blocks.at(-1);
    const row = [rest, ...cells];
    if (block !== undefined && block.prefix === prefix && (prefix === undefined || block.last === Number(number)))
      block.rows.push(row);
    else blocks.push({ prefix, first: Number(number), last: Number(number), rows: [row] });
  }
  return merged(blocks).flatMap(shown);
}

function merged(blocks: readonly Block[]): Block[] {
  const all: Block[] = [];
  for (const block of blocks) {
    const before = all.at(-1);
    const follows = before?.prefix !== undefined && before.prefix === block.prefix && before.last + 1 === block.first;
    if (follows && JSON.stringify(before.rows) === JSON.stringify(block.rows)) before.last = block.last;
    else all.push({ ...block });
  }
  return all;
}

function shown({ prefix, first, last, rows }: Block): string[][] {
  if (prefix === undefined) return rows;
  const count = last - first + 1;
  if (count >= fewest) {
    return rows.map(([name = '', ...cells]) => [
      `${prefix}{${first}..${last}}.${name}`,
      ...cells.slice(0, -1),
      `${count} × ${cells.at(-1)}`,
    ]);
  }
  return Array.from({ length: count }, (_, i) =>
    rows.map(([name = '', ...cells]) => [`${prefix}${first + i}.${name}`, ...cells]),
  ).flat();
}
