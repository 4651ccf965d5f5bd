import type * as ort from 'onnxruntime-common';
import { describe, expectTypeOf, it } from 'vitest';
import type { Initializer } from '../../lib/init/initializers.js';
import type { InitFunction, Unlabelled } from '../../lib/init/signature.js';
import type { Generator } from '../../lib/random/generator.js';
import { empty, type Tensor, tensor } from '../../lib/tensor/tensor.js';

// What must not compile. The compiler, which runs before all tests, is the test proper: an error that does not come is an error there.
declare const init: {
  normal_: InitFunction<'normal'>;
  constant_: InitFunction<'constant'>;
  zeros_: InitFunction<'zeros'>;
  sparse_: InitFunction<'sparse'>;
  kaiming_normal_: InitFunction<'kaiming_normal'>;
  xavier_uniform_: InitFunction<'xavier_uniform'>;
  orthogonal_: InitFunction<'orthogonal'>;
  variance_scaling_: InitFunction<'variance_scaling'>;
};
declare const pool: { normal_: InitFunction<'normal', 'promise', { readonly signal?: AbortSignal }> };
declare const w: Tensor<Float32Array>;
declare const generator: Generator;

/** Compiled, never run. */
function neverRun(): void {
  // By position, by name, and both.
  expectTypeOf(init.normal_(w)).toEqualTypeOf<Tensor<Float32Array>>();
  init.normal_(w, 0, 0.02);
  init.normal_(w, 0, 0.02, generator);
  init.normal_(w, undefined, 0.02, undefined);
  init.normal_(w, { std: 0.02, generator, threads: 2 });
  init.normal_(w, 0, { std: 0.02 });
  init.normal_(w, 0, 0.02, { generator });
  init.normal_(w, 0, 0.02, generator, { threads: 1 });
  init.normal_(w, { mean: undefined });
  init.zeros_(w, { threads: 1 });
  init.constant_(w, 0.3);
  init.constant_(w, { val: 0.3 });
  init.sparse_(w, 0.1, { std: 1 });
  init.kaiming_normal_(w, 0, 'fan_out', 'relu');
  init.kaiming_normal_(w, { mode: 'fan_out', nonlinearity: 'gelu', in_axis: -2, out_axis: -1, groups: 2, gain: 1 });
  init.kaiming_normal_(w, 0.1, 'fan_in', { gain: 2 });
  init.variance_scaling_(w, 2, 'fan_avg', 'truncated_normal');
  expectTypeOf(pool.normal_(w, 0, 1, { signal: new AbortController().signal })).toEqualTypeOf<
    Promise<Tensor<Float32Array>>
  >();

  // Anything shaped like a tensor, and it comes back as it was.
  const foreign = {} as ort.Tensor;
  expectTypeOf(init.normal_(foreign)).toEqualTypeOf<ort.Tensor>();
  init.normal_({ data: new Float32Array(4), shape: [4] });
  expectTypeOf(empty([2])).toEqualTypeOf<Tensor<Float32Array>>();
  expectTypeOf(empty([2], { dtype: 'bfloat16' })).toEqualTypeOf<Tensor<Uint16Array, 'bfloat16'>>();
  expectTypeOf(empty([2], { dtype: 'float64', shared: true })).toEqualTypeOf<Tensor<Float64Array>>();
  expectTypeOf(tensor(new Float64Array(2))).toEqualTypeOf<Tensor<Float64Array<ArrayBuffer>>>();

  expectTypeOf(tensor(new Uint16Array(2), [2], { dtype: 'float16' }).dtype).toEqualTypeOf<'float16'>();
  // @ts-expect-error not what the array holds
  tensor(new Float32Array(2), [2], { dtype: 'float64' });
  // @ts-expect-error options come last
  init.normal_(w, { mean: 0 }, 1);
  // @ts-expect-error misspelt
  init.normal_(w, { sdt: 0.02 });
  // @ts-expect-error misspelt, beside one that is right
  init.normal_(w, { mean: 0, sdt: 0.02 });
  // @ts-expect-error misspelt, after a positional argument
  init.kaiming_normal_(w, 0, { mode: 'fan_in', nonlinarity: 'relu' });
  // @ts-expect-error no such mode
  init.kaiming_normal_(w, { mode: 'fan_avg' });
  // @ts-expect-error no such mode, by position
  init.kaiming_normal_(w, 0, 'fan_avg');
  // @ts-expect-error no such nonlinearity
  init.kaiming_normal_(w, 0, 'fan_in', 'swish');
  // @ts-expect-error gain is a keyword only
  init.kaiming_normal_(w, 0, 'fan_in', 'relu', 2);
  // @ts-expect-error given twice
  init.normal_(w, 0, { mean: 1 });
  // @ts-expect-error too many
  init.zeros_(w, 1);
  // @ts-expect-error zeros_ is not random
  init.zeros_(w, { generator });
  // @ts-expect-error val is required
  init.constant_(w);
  // @ts-expect-error val is required, among the keywords too
  init.constant_(w, { threads: 1 });
  // @ts-expect-error sparsity is required
  init.sparse_(w, { std: 1 });
  // @ts-expect-error orthogonal_ has no fans
  init.orthogonal_(w, { in_axis: 0 });
  // @ts-expect-error a string is no number
  init.normal_(w, '0');
  // @ts-expect-error a number is no generator
  init.normal_(w, 0, 1, 42);
  // @ts-expect-error signal is the pool's
  init.normal_(w, { signal: new AbortController().signal });
  // @ts-expect-error no shape
  init.normal_({ data: new Float32Array(4) });
  // @ts-expect-error no such dtype
  empty([2], { dtype: 'int64' });

  const rules: Initializer[] = [
    'zeros',
    'normal',
    { init: 'kaiming_normal', mode: 'fan_out', nonlinearity: 'relu' },
    { init: 'constant', val: 1 },
    { init: 'sparse', sparsity: 0.1 },
  ];
  // @ts-expect-error constant needs val
  rules.push('constant');
  // @ts-expect-error sparse needs sparsity
  rules.push({ init: 'sparse', std: 1 });
  // @ts-expect-error misspelt
  rules.push({ init: 'normal', sdt: 1 });
  // @ts-expect-error no such mode
  rules.push({ init: 'kaiming_uniform', mode: 'fan_avg' });
  // @ts-expect-error with the underscore it is a function
  rules.push('normal_');
}

describe('types', () => {
  it('are checked by tsc', () => {
    expectTypeOf<Unlabelled>().toBeNever();
    expectTypeOf(neverRun).toBeFunction();
  });
});
