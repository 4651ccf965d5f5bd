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

/** Numbers in a name that are looked at: foreign ones may have thousands. */
const deepest = 16;

/**
 * Rows whose first cell is a tensor's name and whose last is its bytes, with equal layers as one: `h.{0..11}.ln_1.weight`, `12 × 3,072`, and equal parts of
 * each, such as experts: `h.{0..31}.experts.{0..7}.w`, `32 × 8 × 64`. The braces are those of recipes and globs.
 */
export function foldLayers(rows: readonly (readonly string[])[], depth = 0): string[][] {
  if (depth === deepest) return rows.map((row) => [...row]);
  const blocks: Block[] = [];
  /** Layers of one prefix that follow one another, by number: files of others may have them in another order. */
  let run = new Map<number, Block>();
  for (const [name = '', ...cells] of rows) {
    const [, prefix, number = '', rest = name] = /^((?:[^.]*\.)*?)(\d+)\.(.*)$/s.exec(name) ?? [];
    if (prefix === undefined || blocks.at(-1)?.prefix !== prefix) run = new Map();
    const known = run.get(Number(number));
    const row = [rest, ...cells];
    if (known !== undefined) {
      known.rows.push(row);
      continue;
    }
    const block = { prefix, first: Number(number), last: Number(number), rows: [row] };
    run.set(block.first, block);
    blocks.push(block);
  }
  return merged(inOrder(blocks)).flatMap((block) => shown(block, depth + 1));
}

/** Sorts runs of one prefix by number; all else stays in its place. */
function inOrder(blocks: readonly Block[]): Block[] {
  const sorted: Block[] = [];
  for (let from = 0; from < blocks.length; ) {
    let to = from + 1;
    while (to < blocks.length && blocks[to]?.prefix === blocks[from]?.prefix) to += 1;
    const run = blocks.slice(from, to);
    if (run[0]?.prefix !== undefined) run.sort((a, b) => a.first - b.first);
    for (const block of run) sorted.push(block); // more than a call takes as arguments
    from = to;
  }
  return sorted;
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

function shown({ prefix, first, last, rows }: Block, depth: number): string[][] {
  if (prefix === undefined) return rows;
  const count = last - first + 1;
  const within = foldLayers(rows, depth); // experts of a layer
  if (count >= fewest) {
    return within.map(([name = '', ...cells]) => [
      `${prefix}{${first}..${last}}.${name}`,
      ...cells.slice(0, -1),
      `${count} × ${cells.at(-1)}`,
    ]);
  }
  return Array.from({ length: count }, (_, i) =>
    within.map(([name = '', ...cells]) => [`${prefix}${first + i}.${name}`, ...cells]),
  ).flat();
}
