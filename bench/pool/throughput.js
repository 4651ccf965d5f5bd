// node bench/pool/throughput.js: the pool against the synchronous, multithreaded functions.

import { createPool, empty, init } from '../../dist/lib/index.js';
import { compare, generator, header, shared, table, verify } from './common.js';

header('Throughput: the pool against init.*_ (× is the speed relative to the first line)');
const pool = createPool();

for (const [mib, repeats] of [
  [64, 60],
  [256, 20],
  [1024, 6],
]) {
  const elements = mib << 18;
  const [here, there, plain] = [shared(elements), shared(elements), empty([elements])];
  const times = await compare(
    {
      [`normal_ ${mib} MiB`]: () => init.normal_(here, { generator: generator() }),
      '  pool, shared memory': () => pool.init.normal_(there, { generator: generator() }),
      '  pool, plain memory (copied)': () => pool.init.normal_(plain, { generator: generator() }),
    },
    repeats,
  );
  verify(here, there, 'shared');
  verify(here, plain, 'plain');
  table(times);
}

for (const name of ['uniform_', 'trunc_normal_']) {
  const [here, there] = [shared(64 << 20), shared(64 << 20)];
  const times = await compare(
    {
      [`${name} 256 MiB`]: () => init[name](here, { generator: generator() }),
      '  pool, shared memory': () => pool.init[name](there, { generator: generator() }),
    },
    20,
  );
  verify(here, there, name);
  table(times);
}

{
  const make = () => Array.from({ length: 8 }, () => shared(16 << 20));
  const [here, there] = [make(), make()];
  const times = await compare(
    {
      'normal_ 8 × 64 MiB': () => {
        const from = generator();
        for (const each of here) init.normal_(each, { generator: from });
      },
      '  pool.fill, shared memory': () =>
        pool.fill(
          there.map((tensor) => ({ tensor, initializer: 'normal' })),
          { generator: generator() },
        ),
    },
    12,
  );
  for (const [i, each] of here.entries()) verify(each, there[i], 'list');
  table(times);
}

for (const [count, elements] of [
  [10_000, 1024],
  [2000, 16_384],
]) {
  const make = () => Array.from({ length: count }, () => empty([elements]));
  const [here, there, singly] = [make(), make(), make()];
  const items = there.map((tensor) => ({ tensor, initializer: { init: 'normal', std: 0.02 } }));
  const times = await compare(
    {
      [`normal_ ${count} × ${elements / 256} KiB`]: () => {
        const from = generator();
        for (const each of here) init.normal_(each, { std: 0.02, generator: from });
      },
      '  pool.fill': () => pool.fill(items, { generator: generator() }),
      '  pool.init, Promise.all': () => {
        const from = generator();
        return Promise.all(singly.map((each) => pool.init.normal_(each, { std: 0.02, generator: from })));
      },
    },
    30,
  );
  for (const [i, each] of here.entries()) {
    verify(each, there[i], 'list');
    verify(each, singly[i], 'singly');
  }
  table(times);
}
await pool.close();
