import type { Preset } from './definition.js';
import { fixup, siren } from './networks.js';
import { bert, deepnorm, dummy, gpt_neox, megatron, mup, torchtitan } from './transformers.js';

export type { Preset, PresetParameter, PresetRule, PresetSite } from './definition.js';

/** The presets of recipes, by name: one file a kind of models. */
export const presets: Readonly<Record<string, Preset>> = {
  megatron,
  mup,
  deepnorm,
  torchtitan,
  gpt_neox,
  bert,
  fixup,
  siren,
  dummy,
};

export const preset_names: readonly string[] = Object.keys(presets);
