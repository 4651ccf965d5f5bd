import { stat } from 'node:fs/promises';
import { documentOf, type JsonDocument } from '../core/json.js';
import { exists, isUrl } from '../formats/source/source.js';
import { knownConfigs } from '../nn/families/known-configs.js';
import { modelNames } from './models.js';

/** A model known by name, as `nninit models` lists it. */
export interface KnownModel {
  readonly name: string;
  /** `model_type` in its config.json; absent for torchvision's, which have none. */
  readonly model_type?: string;
  /** Where its shape is from: a repository of the Hugging Face Hub, or torchvision. */
  readonly source: string;
}

/** All models that need no config.json of one's own. */
export const knownModels: readonly KnownModel[] = [
  ...Object.entries(knownConfigs).map(([name, { source, config }]) => {
    return { name, model_type: String(config.model_type), source };
  }),
  ...modelNames.map((name) => ({ name, source: 'torchvision' })),
];

/** Whether a name is one of the models that have a config. */
export const isKnownConfig = (name: string): boolean => Object.hasOwn(knownConfigs, name);

/**
 * The config of a model, by its name.
 *
 * @param path where a file of that name would be: it wins
 * @returns undefined if there is no such model, or such a file
 */
export async function knownDocument(name: string, path: string): Promise<JsonDocument | undefined> {
  const known = isKnownConfig(name) ? knownConfigs[name] : undefined;
  return known === undefined || (await isThere(path)) ? undefined : documentOf(known.config, name);
}

/** A folder counts too. */
async function isThere(path: string): Promise<boolean> {
  if (isUrl(path)) return exists(path);
  return (await stat(path).catch(() => undefined)) !== undefined;
}
