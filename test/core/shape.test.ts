import { expect, test } from 'vitest';
import { elementsOf } from '../../lib/core/shape.js';

test('the elements of a shape', () => {
  expect(elementsOf([2, 3, 4])).toBe(24);
  expect(elementsOf([2, 0, 4])).toBe(0);
  expect(elementsOf([])).toBe(1);
});
