import type { PlannedTensor } from '../../lib/plan/plan.js';

/** Tensors of all dtypes that are filled and of all kinds of fills: small, odd, without elements, without dimensions. */
export const assorted: readonly PlannedTensor[] = [
  { name: 'a', shape: [100, 33], dtype: 'float32', initializer: { init: 'normal', std: 0.02 } },
  { name: 'b', shape: [1001], dtype: 'bfloat16', initializer: 'uniform' },
  { name: 'c', shape: [7], dtype: 'float16', initializer: 'ones' },
  { name: 'd', shape: [40, 40], dtype: 'float32', initializer: 'orthogonal' },
  { name: 'e', shape: [51, 20], dtype: 'float64', initializer: { init: 'sparse', sparsity: 0.5 } },
  { name: 'f', shape: [0, 3], dtype: 'float32', initializer: 'zeros' },
  { name: 'g', shape: [], dtype: 'float32', initializer: 'normal' },
  { name: 'h', shape: [17, 5, 3, 3], dtype: 'float32', initializer: 'dirac' },
];
