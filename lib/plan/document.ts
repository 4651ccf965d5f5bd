import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { didYouMean, isPlainObject } from '../core/check.js';
import { InputError } from '../core/errors.js';
import { type JsonDocument, readJson, setKey } from '../core/json.js';
import { beside, exists, folderAt, isMissing, isUrl, pathnameOf, readWhole } from '../formats/source/source.js';

/** Longer than any config or recipe. */
const documentLimit = 100_000_000;

/** Reads a JSON file, or one at an address. */
export async function readDocument(path: string): Promise<JsonDocument> {
  return readJson(await readWhole(path, documentLimit, (what) => new InputError(what, { path })), path);
}

/** Reads the JSON file that an input names: itself, or the config.json of a folder. */
export async function readInput(input: string): Promise<JsonDocument> {
  const path = await configPath(input);
  if (path.endsWith('.safetensors')) {
    const expected = "a config.json, a recipe or a model's name";
    throw new InputError(`${path}: expected ${expected}, but it is a checkpoint, which { like: path } takes`, { path });
  }
  try {
    return await withModelOpt(await readDocument(path));
  } catch (cause) {
    throw path === input ? await explained(input, cause) : cause;
  }
}

/**
 * A config with what ModelOpt wrote into a file of its own, hf_quant_config.json, as older versions did; servers read the two so too. A
 * config that says itself how it is quantized stays as it is.
 */
async function withModelOpt(document: JsonDocument): Promise<JsonDocument> {
  const { source, value, text } = document;
  // Of servers the Hub's kind says what is not there; others may answer with any file.
  const mayHave = /(^|[/\\])config\.json$/.test(source) && (!isUrl(source) || source.includes('/resolve/'));
  if (!(mayHave && isPlainObject(value) && Object.hasOwn(value, 'model_type'))) return document;
  const path = beside(source, 'hf_quant_config.json');
  if (Object.hasOwn(value, 'quantization_config') || !(await exists(path))) return document;
  const { settingsIn } = await import('./quantize/modelopt-file.js');
  const settings = settingsIn((await readDocument(path)).value, path);
  if (settings === undefined) return document;
  return readJson(Buffer.from(setKey(text, 'quantization_config', settings)), source);
}

/** The error for an input that is not there, with what it seems to be: a name, a repository of the Hub, an address of another kind. */
export async function explained(input: string, cause: unknown): Promise<unknown> {
  if (!(cause instanceof InputError) || !isMissing(cause) || cause.path !== input || isUrl(input)) return cause;
  const why = await guess(input);
  return why === undefined ? cause : new InputError(`${cause.message}; ${why}`, { ...cause, cause: cause.cause });
}

async function guess(input: string): Promise<string | undefined> {
  const [, scheme] = /^([a-z][a-z0-9+.-]+):\/\//i.exec(input) ?? [];
  if (scheme !== undefined && /^(?:https?|s3)$/i.test(scheme))
    return 'it is no address: its host or port makes no sense';
  if (scheme !== undefined) return `of addresses, those of http, https and s3 are read, not ${scheme}`;
  const repository = input.replace(/^(www\.)?(huggingface\.co|hf\.co)\//, '');
  if (/^[\w-][\w.-]*\/[\w.-]+\/?$/.test(repository) && !/\.(json|safetensors)$/.test(input)) {
    const address = `https://huggingface.co/${repository.replace(/\/$/, '')}`;
    return `if it is a repository of the Hugging Face Hub, give hf:${repository.replace(/\/$/, '')}, or its address, ${address}, or the folder that it was downloaded to`;
  }
  if (/[/\\]/.test(input) || /\.(json|safetensors)$/.test(input)) return undefined;
  const { modelTypes } = await import('./models.js');
  const { knownModels } = await import('./known-models.js');
  if (modelTypes.includes(input)) {
    return `'${input}' is a family of models: give a config.json that has its sizes, at the least {"model_type": "${input}"}`;
  }
  const names = knownModels.map(({ name }) => name);
  const hint = didYouMean(input, names);
  return `nninit models lists the ${names.length} models that are known by name${hint === undefined ? '' : ` (${hint})`}`;
}

/** Itself, or the config.json in the folder that it names. */
async function configPath(input: string): Promise<string> {
  if (isUrl(input)) {
    return /\.(json|safetensors)$/.test(pathnameOf(input)) ? input : beside(folderAt(input), 'config.json');
  }
  try {
    return (await stat(input)).isDirectory() ? join(input, 'config.json') : input;
  } catch {
    return input; // reading it says why
  }
}
