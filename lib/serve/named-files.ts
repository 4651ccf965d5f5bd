import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join } from 'node:path';
import { isPlainObject } from '../core/check.js';
import { readJson } from '../core/json.js';
import { isUrl, pathOf } from '../formats/source/source.js';
import { unseen } from './unseen.js';

/** A file that a plan is made of: by the name that whoever names it has for it, as it is now. */
export type NamedFile = readonly [name: string, size: number | undefined, mtimeMs: number | undefined];

/** What an input names, until it changes. */
interface Named {
  readonly of: string;
  readonly model: string | undefined;
  readonly like: string | undefined;
}

/**
 * The files that recipes name by paths and that make their plans, which may lie anywhere: they are looked at with each request. What is at an address is not.
 */
export class NamedFiles {
  readonly #known = new Map<string, Named>();

  /** @param seen tells one state of the input from another */
  async of(input: string, seen: string): Promise<readonly NamedFile[]> {
    const known = this.#known.get(input);
    const named = known?.of === seen ? known : { of: seen, ...(await namesIn(input)) };
    this.#known.set(input, named);
    const { model, like } = named;
    return [...(await filesOf(input, model, modelFiles)), ...(await filesOf(input, like, likeFiles))];
  }
}

async function namesIn(input: string): Promise<Omit<Named, 'of'>> {
  const none = { model: undefined, like: undefined };
  const bytes = await readFile(input).catch(unseen(undefined));
  if (bytes === undefined) return none;
  try {
    // Most name nothing, and a recipe of very many tensors takes a while to parse.
    if (!['"model"', '"like"'].some((key) => bytes.includes(key))) return none;
    const { value } = readJson(bytes, input);
    if (!isPlainObject(value) || Object.hasOwn(value, 'model_type')) return none;
    const { model, like } = value;
    return {
      model: typeof model === 'string' ? model : undefined,
      like: typeof like === 'string' ? like : undefined,
    };
  } catch {
    return none; // whoever asks for its plan is told why there is none
  }
}

async function filesOf(
  input: string,
  given: string | undefined,
  besides: (path: string, isFolder: boolean) => Promise<readonly string[]>,
): Promise<NamedFile[]> {
  const path = given === undefined ? undefined : localPath(input, given);
  if (path === undefined) return [];
  const found = await stat(path).catch(unseen(undefined));
  const isFolder = found?.isDirectory() === true;
  const folder = isFolder ? path : dirname(path);
  const files = (await besides(path, isFolder)).map(async (name): Promise<NamedFile> => {
    const info = await stat(join(folder, name)).catch(unseen(undefined));
    return [name, info?.size, info?.mtimeMs];
  });
  return [
    [`${given}`, isFolder ? undefined : found?.size, isFolder ? undefined : found?.mtimeMs],
    ...(await Promise.all(files)),
  ];
}

function localPath(input: string, given: string): string | undefined {
  try {
    const path = pathOf(given);
    if (isUrl(path)) return undefined;
    return isAbsolute(path) ? path : join(dirname(input), path);
  } catch {
    return undefined;
  }
}

/** A config, and what ModelOpt wrote beside it. */
const modelFiles = async (path: string, isFolder: boolean): Promise<readonly string[]> => [
  ...(isFolder ? ['config.json'] : []),
  ...(isFolder || basename(path) === 'config.json' ? ['hf_quant_config.json'] : []),
];

/** The headers of a file, or of all that a folder or an index may mean, and the config beside them. */
const likeFiles = async (path: string, isFolder: boolean): Promise<readonly string[]> => {
  if (!isFolder && !path.endsWith('.json')) return ['config.json'];
  return (await readdir(isFolder ? path : dirname(path)).catch(unseen<string[]>([]))).sort();
};
