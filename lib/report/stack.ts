import { checkInteger, checkOneOf, rangeError, typeError } from '../core/check.js';
import { gains, type Nonlinearity, nonlinearities } from '../init/gain.js';

/** A layer of a stack. */
export interface StackLayer {
  /** A linear layer with a function behind it; or a block x + f(norm(x)) of a transformer. */
  readonly kind: 'linear' | 'transformer';
  /** Its outputs. */
  readonly width: number;
  readonly activation: Nonlinearity;
}

/** Layers one after another, and how many inputs the first one has. */
export interface Stack {
  readonly text: string;
  readonly inputs: number;
  readonly layers: readonly StackLayer[];
}

const mostLayers = 1000;
const mostWidth = 16_384;
/** Weights of one network: a draw of them takes seconds. */
const mostWeights = 2 ** 32;

/** Names of functions that stand for themselves: 'linear' is none at all, and the kinds of convolution share its gain. */
const functionNames = nonlinearities.filter((name) => !/^(linear|conv)/.test(name));

/**
 * A stack of layers from text: `linear 512 x 50, tanh` are fifty layers of 512 outputs, each with a tanh behind it; `input 784, linear 100 x 4, relu,
 * linear 10` has 784 inputs, and no function behind the last one; `transformer 1600 x 48, gelu` are 48 blocks of attention and MLP.
 *
 * @throws TypeError for what is no string; RangeError for another text, more than 1,000 layers, widths beyond 16,384, and more than 2^32 weights
 */
export function parseStack(fn: string, text: unknown): Stack {
  if (typeof text !== 'string') throw typeError(fn, 'stack', "text such as 'linear 512 x 50, tanh'", text);
  const layers: StackLayer[] = [];
  let inputs: number | undefined;
  let group = 0; // layers that a function would stand behind
  for (const part of text.split(',').map((each) => each.trim())) {
    const found = /^(input|linear|transformer) (\d{1,9})(?: ?x ?(\d{1,9}))?$/.exec(part);
    if (found === null) {
      if (group === 0 || !/^\w+$/.test(part)) {
        const what =
          "layers such as 'linear 512 x 50', 'transformer 768 x 12' or 'input 784', and a function behind them, between commas";
        throw rangeError(fn, 'stack', what, part === '' ? text : part);
      }
      const activation = checkOneOf(fn, 'stack', part, functionNames);
      for (const layer of layers.splice(-group)) layers.push({ ...layer, activation });
      group = 0;
      continue;
    }
    const [, kind, digits, times] = found;
    const width = checkInteger(fn, 'a width in stack', Number(digits), 1, mostWidth);
    if (kind === 'input') {
      if (layers.length > 0 || inputs !== undefined || times !== undefined) {
        throw rangeError(fn, 'stack', "'input N' once, and first", text);
      }
      inputs = width;
      continue;
    }
    group = checkInteger(fn, 'layers in stack', Number(times ?? 1), 1, mostLayers - layers.length);
    const layer = { kind: kind as StackLayer['kind'], width, activation: 'linear' as const };
    for (let i = 0; i < group; i++) layers.push(layer);
  }
  const [first] = layers;
  if (first === undefined) throw rangeError(fn, 'stack', "a layer such as 'linear 512 x 50'", text);
  const stack = { text, inputs: inputs ?? first.width, layers };
  checkKinds(fn, stack);
  return stack;
}

function checkKinds(fn: string, { text, inputs, layers }: Stack): void {
  const [first] = layers;
  if (layers.some(({ kind }) => kind !== first?.kind)) {
    throw rangeError(fn, 'stack', 'layers that are all linear, or all blocks of a transformer', text);
  }
  if (first?.kind === 'transformer' && layers.some(({ width }) => width !== inputs)) {
    throw rangeError(fn, 'stack', 'blocks of one width, which is that of the input too', text);
  }
  const weights = layers.reduce((sum, { kind, width }, i) => {
    return sum + (kind === 'linear' ? width * (layers[i - 1]?.width ?? inputs) : 10 * width * width);
  }, 0);
  if (weights > mostWeights) throw rangeError(fn, 'stack', 'at most 2^32 weights', weights);
}

/** The function behind most layers, by its row in the table of gains. */
export function mainGain({ layers }: Stack): (typeof gains)[number] {
  const counts = new Map<Nonlinearity, number>();
  for (const { activation } of layers) counts.set(activation, (counts.get(activation) ?? 0) + 1);
  const [most] = [...counts].sort(([, a], [, b]) => b - a);
  return gains.find(({ name }) => name === most?.[0]) ?? gains[0];
}
