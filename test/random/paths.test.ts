import { afterEach, describe, expect, test } from 'vitest';
import { digestOf, otherWays, paths, plainWay, recordedPaths, take } from '../../bench/harness/paths.js';
import { forceSimdTarget, simdTargets } from '../../lib/native/addon.js';

const recorded = recordedPaths();
const all = paths();

afterEach(() => forceSimdTarget(null));

describe('the bytes of every path', () => {
  test('are recorded', () => {
    expect(Object.keys(recorded)).toEqual(all.map(({ name }) => name));
  });

  test.each(simdTargets())('are the recorded ones on %s', (target) => {
    forceSimdTarget(target);
    const changed = all.filter((path) => digestOf(take(path, plainWay)) !== recorded[path.name]);
    expect(changed.map(({ name }) => name)).toEqual([]);
  });

  test.each(otherWays)(
    'are the same with $threads threads, streamed: $streamed, $shift elements into a line',
    (way) => {
      const changed = all.filter((path) => digestOf(take(path, way)) !== recorded[path.name]);
      expect(changed.map(({ name }) => name)).toEqual([]);
    },
  );
});
