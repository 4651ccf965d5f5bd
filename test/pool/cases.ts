import { type Engine, Generator, type init, type Pool, type Tensor, type TensorLike } from '../../lib/index.js';

/** A call of one initializer, on `init` or on a pool's. */
export type Fill = (functions: Functions, tensor: Tensor, options: object) => unknown;
type Functions = Record<string, (tensor: TensorLike, ...args: unknown[]) => unknown>;

export interface Case {
  readonly name: string;
  readonly shapes: readonly (readonly number[])[];
  readonly fill: Fill;
}

const any = [[1], [7], [1021, 3], [40_009], [3, 100_003], [2_000_003]];
const matrices = [
  [1, 1],
  [17, 33],
  [301, 97],
  [1021, 401],
];
const convolutions = [
  [5, 3, 3],
  [66, 31, 3, 5],
  [130, 67, 3, 3, 3],
];

function call(name: string, shapes: readonly (readonly number[])[], ...args: readonly unknown[]): Case {
  return { name, shapes, fill: (functions, tensor, options) => functions[name]?.(tensor, ...args, options) };
}

/** Every initializer of the table. */
export const cases: readonly Case[] = [
  call('uniform_', any, -1, 2),
  call('normal_', any, 0, 0.02),
  call('trunc_normal_', any, 0, 1, -1, 3),
  call('constant_', any, 0.3),
  call('ones_', any),
  call('zeros_', any),
  call('eye_', matrices),
  call('dirac_', convolutions),
  call('xavier_uniform_', matrices, 2),
  call('xavier_normal_', matrices),
  call('kaiming_uniform_', [...matrices, ...convolutions]),
  call('kaiming_normal_', [...matrices, ...convolutions]),
  call('lecun_uniform_', matrices),
  call('lecun_normal_', matrices),
  call('variance_scaling_', matrices, 2, 'fan_avg', 'uniform'),
  call('orthogonal_', matrices, 1.5),
  call('sparse_', matrices, 0.3),
  call('delta_orthogonal_', convolutions),
  call('constant_rows_', matrices, 0.5, 0, 1),
  call('log_arange_', [[1], [7], [1021, 3], [40_009]]),
  call('log_of_uniform_', [[1], [7], [1021, 3], [40_009]], 0.01, 16),
  call('dt_bias_', [[1], [7], [1021, 3], [40_009]]),
  call('sinusoidal_', [...matrices, [1021, 402]]),
];

export const functionsOf = (of: typeof init | Pool['init']): Functions => of as unknown as Functions;

export function generator(engine: Engine = 'philox'): Generator {
  return new Generator({ seed: 1234, engine });
}

export function bytes(tensor: Tensor): Buffer {
  const { buffer, byteOffset, byteLength } = tensor.data;
  return Buffer.from(Buffer.from(buffer, byteOffset, byteLength));
}

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
