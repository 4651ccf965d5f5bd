import { expect, test } from 'vitest';
import { elements_of } from '../../lib/core/shape.js';

test('the elements of a shape', () => {
  expect(elements_of([2, 3, 4])).toBe(24);
  expect(elements_of([2, 0, 4])).toBe(0);
  expect(elements_of([])).toBe(1);
});
