import type { Preset } from './definition.js';
import { healthy } from './healthy.js';
import { fixup, siren } from './networks.js';
import { bert, deepnorm, dummy, gptNeox, megatron, mup, torchtitan } from './transformers.js';

export type { Preset, PresetRule, PresetSite } from './definition.js';

/** The presets of recipes, by name: one file a kind of models. */
export const presets: Readonly<Record<string, Preset>> = {
  megatron,
  mup,
  deepnorm,
  torchtitan,
  gpt_neox: gptNeox,
  bert,
  fixup,
  siren,
  dummy,
  healthy,
};

export const presetNames: readonly string[] = Object.keys(presets);
