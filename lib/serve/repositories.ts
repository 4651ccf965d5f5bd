import { createHash } from 'node:crypto';
import { readdir, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve, sep } from 'node:path';
import { didYouMean, show } from '../core/check.js';
import { InputError } from '../core/errors.js';
import { version } from '../core/version.js';
import { unreadable } from '../formats/source/file.js';
import { isKnownConfig, knownModels } from '../plan/known-models.js';
import { NamedFiles } from './named-files.js';
import { unseen } from './unseen.js';

/** A file that is served as it is: a tokenizer's, a licence. */
export interface Asset {
  readonly name: string;
  readonly path: string;
  readonly size: number;
  readonly modified: Date;
}

/** A model that checkpoints are made of, as it is now. */
export interface Repository {
  /** `org/name`. */
  readonly id: string;
  /** 22 hexadecimal digits of all that it holds: another config, another state. */
  readonly state: string;
  readonly modified: Date;
  readonly assets: readonly Asset[];
  /** What loadPlan takes. */
  readonly input: string;
}

/** Where each model that nninit knows by name is served: as the repository that has it on the Hub, so that clients ask for what they always do. */
const namedIds = new Map(
  knownModels.map(({ name, model_type, source }) => [name, model_type === undefined ? `${source}/${name}` : source]),
);
/** The org of inputs that are no folder of repositories. */
const localOrg = 'local';
/** What makes a folder a repository. */
const inputNames = ['config.json', 'recipe.json'];
/** Files that a model is in are made, and never taken from the folder. */
const isWeights = (name: string) =>
  /\.(safetensors|bin|pt|pth|ckpt|gguf|onnx|h5|msgpack|npy|npz)$|\.index\.json$/.test(name);
/** A name of the Hub's, in which no path can hide. */
const isName = (name: string) => /^[A-Za-z0-9_][A-Za-z0-9._-]{0,95}$/.test(name) && !name.includes('..');

/** Where a repository is: a folder, an input's path, or a known name. */
type Place =
  | { readonly folder: string; readonly input: string }
  | { readonly input: string; readonly folder: undefined };

/** The repositories of a server: those of its inputs. They are looked at again with each request, so that changes are seen. */
export class Repositories {
  readonly #folders: readonly string[];
  readonly #fixed: ReadonlyMap<string, Place>;
  /** Settings that decide bytes too. */
  readonly #settings: string;
  readonly #named = new NamedFiles();

  private constructor(folders: readonly string[], fixed: ReadonlyMap<string, Place>, settings: string) {
    this.#folders = folders;
    this.#fixed = fixed;
    this.#settings = settings;
  }

  /**
   * @param inputs folders of `org/name/config.json`, configs, recipes, folders of one, names of models; all named models where there are none
   * @param settings of the server, as far as they decide bytes
   * @throws InputError for an input that is none of these
   */
  static async of(inputs: readonly string[], settings: string): Promise<Repositories> {
    const folders: string[] = [];
    const fixed = new Map<string, Place>();
    for (const input of inputs.length > 0 ? inputs : namedIds.keys()) {
      const id = namedIds.get(input);
      // A folder of the name of a config's model wins, as wherever inputs are read.
      const there = id === undefined || isKnownConfig(input) ? await stat(input).catch(() => undefined) : undefined;
      if (id !== undefined && there === undefined) {
        fixed.set(id, { input, folder: undefined });
        continue;
      }
      if (there === undefined) {
        const hint = didYouMean(input, [...namedIds.keys()]);
        const what = 'a folder, a config.json, a recipe, or a name that `nninit models` lists';
        const received = `${show(input)}${hint === undefined ? '' : ` (${hint})`}`;
        throw new InputError(`serve: expected ${what}, but received ${received}`, { path: input });
      }
      const folder = await realpath(there.isDirectory() ? input : dirname(input));
      const own = there.isDirectory() ? await inputOf(folder) : resolve(input);
      if (own === undefined) folders.push(folder);
      else {
        const local = `${localOrg}/${nameOf(folder)}`;
        const other = fixed.get(local);
        if (other !== undefined && other.input !== own) {
          const both = `${show(other.input)} and ${show(own)}`;
          throw new InputError(
            `serve: expected inputs of folders with names of their own, but ${both} are both ${local}`,
            {
              path: input,
            },
          );
        }
        fixed.set(local, { folder, input: own });
      }
    }
    return new Repositories(folders, fixed, settings);
  }

  /**
   * The ids of all repositories, in order.
   *
   * @throws InputError where they cannot be told
   */
  async list(): Promise<string[]> {
    const ids = new Set(this.#fixed.keys());
    for (const folder of this.#folders) {
      const orgs = await foldersIn(folder).catch((cause: unknown) => {
        throw unreadable(folder, cause); // it was there when the server began: without it nothing is known
      });
      for (const org of orgs) {
        for (const name of await foldersIn(join(folder, org)).catch(unseen<string[]>([]))) {
          if ((await inputOf(join(folder, org, name))) !== undefined) ids.add(`${org}/${name}`);
        }
      }
    }
    return [...ids].sort();
  }

  /**
   * A repository as it is now; undefined if there is none.
   *
   * @throws InputError where that cannot be told
   */
  async find(id: string): Promise<Repository | undefined> {
    const place = this.#fixed.get(id) ?? (await this.#placeOf(id));
    if (place === undefined) return undefined;
    const assets = place.folder === undefined ? [] : await assetsOf(place.folder);
    const input = await stat(place.input).catch(unseen(undefined));
    const hash = createHash('sha256').update(
      JSON.stringify([id, version, this.#settings, input?.size, input?.mtimeMs]),
    );
    for (const { name, size, modified } of assets) hash.update(JSON.stringify([name, size, modified.getTime()]));
    const named = input === undefined ? [] : await this.#named.of(place.input, `${input.size} ${input.mtimeMs}`);
    for (const each of named) hash.update(JSON.stringify(each));
    const state = hash.digest('hex').slice(0, 22);
    const times = [
      input?.mtimeMs ?? 0,
      ...assets.map((asset) => asset.modified.getTime()),
      ...named.map(([, , mtimeMs]) => mtimeMs ?? 0),
    ];
    const modified = new Date(times.reduce((latest, each) => Math.max(latest, each), 0));
    return { id, state, modified, assets, input: place.input };
  }

  async #placeOf(id: string): Promise<Place | undefined> {
    const [org = '', name = '', ...more] = id.split('/');
    if (!isName(org) || !isName(name) || more.length > 0) return undefined;
    for (const root of this.#folders) {
      // A link may lead out of the folder: what it leads to is not ours to serve.
      const folder = await realpath(join(root, org, name)).catch(unseen(undefined));
      if (folder === undefined || !folder.startsWith(root + sep)) continue;
      const input = await inputOf(folder);
      if (input !== undefined && (await realpath(input)).startsWith(root + sep)) return { folder, input };
    }
    return undefined;
  }
}

function nameOf(folder: string): string {
  const name = basename(folder).replace(/[^A-Za-z0-9._-]/g, '-');
  return isName(name) ? name : 'model';
}

async function inputOf(folder: string): Promise<string | undefined> {
  for (const name of inputNames) {
    const path = join(folder, name);
    if ((await stat(path).catch(unseen(undefined)))?.isFile()) return path;
  }
  return undefined;
}

async function foldersIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  return entries.filter((entry) => !entry.isFile() && isName(entry.name)).map(({ name }) => name);
}

async function assetsOf(folder: string): Promise<Asset[]> {
  const assets: Asset[] = [];
  for (const name of (await readdir(folder).catch(unseen<string[]>([]))).sort()) {
    if (name.startsWith('.') || isWeights(name)) continue;
    const path = await realpath(join(folder, name)).catch(unseen(undefined));
    if (path === undefined || !path.startsWith(folder + sep)) continue;
    const info = await stat(path).catch(unseen(undefined));
    if (info?.isFile()) assets.push({ name, path, size: info.size, modified: info.mtime });
  }
  return assets;
}
