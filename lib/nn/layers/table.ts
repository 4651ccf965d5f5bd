import { attention_layers } from './attention.js';
import { convolution_layers } from './convolution.js';
import type { LayerDefinition } from './definition.js';
import { embedding_layers } from './embedding.js';
import { linear_layers } from './linear.js';
import { normalization_layers } from './normalization.js';
import { recurrent_layers } from './recurrent.js';
import { transformer_layers } from './transformer.js';

/**
 * The table of layers, by the names of their classes in `torch.nn`: functions, recipes and documentation come from it.
 * There is one file a family.
 */
export const definitions = {
  ...linear_layers,
  ...convolution_layers,
  ...embedding_layers,
  ...recurrent_layers,
  ...attention_layers,
  ...transformer_layers,
  ...normalization_layers,
} as const;

/** The name of a layer: that of its class in `torch.nn`. */
export type LayerKind = keyof typeof definitions;

/** The names in the table. */
export const layer_kinds: readonly LayerKind[] = Object.keys(definitions) as LayerKind[];

/** A row of the table, its arguments' types forgotten. */
export function layer_definition(kind: LayerKind): LayerDefinition {
  return definitions[kind] as unknown as LayerDefinition;
}

export function is_layer_kind(name: unknown): name is LayerKind {
  return typeof name === 'string' && Object.hasOwn(definitions, name);
}
