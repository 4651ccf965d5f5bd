import { attentionLayers } from './attention.js';
import { convolutionLayers } from './convolution.js';
import type { LayerDefinition } from './definition.js';
import { embeddingLayers } from './embedding.js';
import { linearLayers } from './linear.js';
import { normalizationLayers } from './normalization.js';
import { recurrentLayers } from './recurrent.js';
import { transformerLayers } from './transformer.js';

/**
 * The table of layers, by the names of their classes in `torch.nn`: functions, recipes and documentation come from it.
 * There is one file a family.
 */
export const definitions = {
  ...linearLayers,
  ...convolutionLayers,
  ...embeddingLayers,
  ...recurrentLayers,
  ...attentionLayers,
  ...transformerLayers,
  ...normalizationLayers,
} as const;

/** The name of a layer: that of its class in `torch.nn`. */
export type LayerKind = keyof typeof definitions;

/** The names in the table. */
export const layerKinds: readonly LayerKind[] = Object.keys(definitions) as LayerKind[];

/**
 * A row of the table: arguments with kinds, ranges and defaults, and how the layer is initialized.
 *
 * @param kind such as 'Linear'
 */
export function layerDefinition(kind: LayerKind): LayerDefinition {
  return definitions[kind] as unknown as LayerDefinition;
}

/**
 * Whether this is a layer's name.
 *
 * @param name anything
 */
export function isLayerKind(name: unknown): name is LayerKind {
  return typeof name === 'string' && Object.hasOwn(definitions, name);
}
