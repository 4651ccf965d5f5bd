import { type Draw, isDrawn } from '../../init/draw.js';
import type { Initializer } from '../../init/initializers.js';

/** A parameter or a buffer of a layer, by its name in `state_dict`. */
export interface LayerTensor {
  readonly name: string;
  readonly shape: readonly number[];
  /** What it holds when the layer is new, `zeroRow` and `copyOf` aside. */
  readonly initializer: Initializer;
  /** Set for counters, which are no floating-point numbers whatever the layer's dtype; they begin as zeros. */
  readonly dtype?: 'int64';
  /** True for what training does not update by gradients: running statistics. */
  readonly buffer?: true;
  /** The row (index along the first dimension) that is set to zero after the draw: an embedding's `padding_idx`. */
  readonly zeroRow?: number;
  /** The name of the tensor whose values it has, bit for bit. Never a tensor that is a copy itself. */
  readonly copyOf?: string;
}

/**
 * A layer as plain data: its tensors in the order of `state_dict`, and the random fills of its construction in PyTorch's
 * order. Engines whose values do not depend on order need the tensors alone; one that draws in sequence makes the draws.
 *
 * Of each random tensor that is no copy, the last draw has the shape and the initializer.
 */
export interface Layer {
  readonly tensors: readonly LayerTensor[];
  readonly draws: readonly Draw[];
}

/** The draws whose values stay: the last one of each tensor that is random in the end. */
export function keptDraws({ tensors, draws }: Layer): ReadonlySet<Draw> {
  const last = new Map(draws.map((draw) => [draw.tensor, draw]));
  const kept = tensors.filter(({ initializer }) => isDrawn(initializer)).map(({ name }) => last.get(name));
  return new Set(kept.filter((draw) => draw !== undefined));
}

function drawOf({ name, shape, initializer }: LayerTensor): Draw {
  return { tensor: name, shape, initializer };
}

/** A layer whose tensors are drawn in the order of `state_dict`; `false` stands for one that is left out. */
export function inOrder(tensors: readonly (LayerTensor | false)[]): Layer {
  const present = tensors.filter((tensor) => tensor !== false);
  return { tensors: present, draws: present.filter((tensor) => isDrawn(tensor.initializer)).map(drawOf) };
}

/** Several layers, one constructed after the other. */
export function join(...layers: readonly Layer[]): Layer {
  return { tensors: layers.flatMap(({ tensors }) => tensors), draws: layers.flatMap(({ draws }) => draws) };
}

/** A layer under a name, as an attribute of another one: `weight` becomes `linear1.weight`. */
export function named(prefix: string, layer: Layer): Layer {
  const rename = (name: string) => `${prefix}.${name}`;
  return {
    tensors: layer.tensors.map((tensor) => ({
      ...tensor,
      name: rename(tensor.name),
      ...(tensor.copyOf !== undefined && { copyOf: rename(tensor.copyOf) }),
    })),
    draws: layer.draws.map((draw) => ({ ...draw, tensor: rename(draw.tensor) })),
  };
}

/**
 * `count` deep copies of one layer, named 0, 1, …: it is drawn once, and the first copy's values are the others'. Where
 * there is no copy at all, it is drawn in vain.
 */
export function copies(layer: Layer, count: number): Layer {
  const first = named('0', layer);
  if (count === 0) return { tensors: [], draws: first.draws };
  const others = Array.from({ length: count - 1 }, (_, i) =>
    layer.tensors.map((tensor): LayerTensor => {
      const renamed = { ...tensor, name: `${i + 1}.${tensor.name}` };
      return isDrawn(tensor.initializer) ? { ...renamed, copyOf: `0.${tensor.copyOf ?? tensor.name}` } : renamed;
    }),
  );
  return { tensors: [...first.tensors, ...others.flat()], draws: first.draws };
}

/**
 * A layer some of whose tensors are initialized once more, in the order of `state_dict`, after all was drawn.
 *
 * @param again gives the initializer that a tensor has in the end, or undefined where it stays as it is
 */
export function redrawn(layer: Layer, again: (tensor: LayerTensor) => Initializer | undefined): Layer {
  const changed = new Map<string, LayerTensor>();
  for (const tensor of layer.tensors) {
    const initializer = again(tensor);
    if (initializer === undefined) continue;
    const { copyOf: _, zeroRow: __, ...rest } = tensor;
    changed.set(tensor.name, { ...rest, initializer });
  }
  return {
    tensors: layer.tensors.map((tensor) => changed.get(tensor.name) ?? tensor),
    draws: [...layer.draws, ...inOrder([...changed.values()]).draws],
  };
}
