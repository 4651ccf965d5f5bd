import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Chunk, cut } from '../../../lib/checkpoint/virtual/chunks.js';
import { isWhole } from '../../../lib/core/fill.js';
import { isFillable, type StoredDtype, storedBytes, storedDtypes } from '../../../lib/core/stored-dtype.js';
import { layout } from '../../../lib/formats/safetensors/header.js';
import { type PlannedTensor, resolvePlan } from '../../../lib/plan/plan.js';

const shapes = fc.oneof(fc.tuple(fc.nat(40)), fc.tuple(fc.nat(12), fc.nat(12)));
const tensor = fc.record({
  shape: shapes,
  dtype: fc.constantFrom(
    'float32',
    'float64',
    'float16',
    'bfloat16',
    'int64',
    'uint8',
    'float4_e2m1fn',
    'float6_e3m2fn',
  ),
  initializer: fc.constantFrom('normal', 'zeros', 'orthogonal'),
});

function placed(given: readonly { shape: number[]; dtype: string; initializer: string }[]) {
  const tensors = given.map(({ shape, dtype, initializer }, i) => {
    const plain = initializer === 'orthogonal' && shape.length < 2 ? 'normal' : initializer;
    const suits = isFillable(dtype as StoredDtype) ? plain : 'zeros';
    const { pack } = storedDtypes[dtype as StoredDtype];
    const fitting = pack === 1 ? shape : [...shape, pack];
    return { name: `t${i}`, shape: fitting, dtype, initializer: suits } as PlannedTensor;
  });
  return layout(resolvePlan({ tensors }), {}).tensors;
}

test('chunks cover every byte once, in order, aligned; only what cannot be cut exceeds the size', () => {
  fc.assert(
    fc.property(fc.array(tensor, { maxLength: 12 }), fc.integer({ min: 1, max: 40 }), (given, words) => {
      const tensors = placed(given);
      const size = words * 8;
      const chunks: Chunk[] = [...cut(tensors, size)];
      let position = 0;
      const elements = new Map<string, number>();
      for (const chunk of chunks) {
        expect(chunk.position).toBe(position);
        let at = 0;
        for (const { tensor, begin, end, at: start } of chunk.segments) {
          const { bytes, pack } = storedDtypes[tensor.dtype];
          expect(start).toBe(at);
          if (pack === 1) expect(start % bytes).toBe(0);
          expect([begin % pack, end % pack]).toEqual([0, 0]);
          expect(chunk.position + start).toBe(tensor.offset + storedBytes(tensor.dtype, begin));
          expect(begin).toBe(elements.get(tensor.name) ?? 0);
          if (isWhole(tensor.fill)) expect([begin, end]).toEqual([0, tensor.elements]);
          expect(end).toBeGreaterThan(begin);
          elements.set(tensor.name, end);
          at = start + storedBytes(tensor.dtype, end - begin);
        }
        expect(chunk.bytes).toBe(at);
        if (chunk.bytes > size) expect(chunk.segments).toHaveLength(1);
        if (chunk.bytes > size) expect(chunk.segments[0] && isWhole(chunk.segments[0].tensor.fill)).toBe(true);
        position += chunk.bytes;
      }
      for (const { name, elements: count } of tensors) expect(elements.get(name) ?? 0).toBe(count);
    }),
    { numRuns: 300 },
  );
});
