// From a query to what is to be generated, or to a reason why not.

import { Generator, initializers, resolve } from 'nninit';

/** What a client got wrong: becomes an answer with that status. */
export class RequestError extends Error {
  constructor(status, message, headers = {}) {
    super(message);
    this.status = status;
    this.headers = headers;
  }
}

const bytesOfDtype = { float32: 4, float64: 8, float16: 2, bfloat16: 2 };
const ownParameters = ['shape', 'init', 'seed', 'dtype', 'name'];

/**
 * Reads the query of GET /weights: shape (`64x3x7x7` or `64,3,7,7`), init (a name), seed, dtype, name, and the initializer's own
 * parameters (`std=0.02`, `mode=fan_out`).
 *
 * @throws RequestError
 */
export function parseWeights(query, limits) {
  refuseRepeated(query);
  const shape = parseShape(required(query, 'shape'));
  const initializer = parseInitializer(query);
  const dtype = query.get('dtype') ?? 'float32';
  if (!Object.hasOwn(bytesOfDtype, dtype)) {
    throw new RequestError(
      400,
      `dtype: expected one of ${Object.keys(bytesOfDtype).join(', ')}, but received '${dtype}'`,
    );
  }
  const name = query.get('name') ?? 'weight';
  if (name.length > 256) throw new RequestError(400, 'name: expected at most 256 characters');

  const elements = shape.reduce((product, size) => product * size, 1);
  const bytes = elements * bytesOfDtype[dtype];
  const { fill, key } = inOurWords(() => ({
    fill: resolve(initializer, shape, { dtype }),
    key: new Generator(parseSeed(query)).nextKey(),
  }));
  // Orthogonal and sparse matrices cannot be made in chunks: they are in memory as a whole.
  const whole = fill.kind === 'orthogonal' || fill.kind === 'sparse';
  const most = whole ? limits.wholeBytes : limits.bytes;
  if (bytes > most) {
    throw new RequestError(
      400,
      `shape: expected at most ${most} bytes${whole ? ` for ${initializer.init}` : ''}, but these are ${bytes}`,
    );
  }
  return { name, shape, dtype, fill, key, elements, bytes, bytesEach: bytesOfDtype[dtype], whole };
}

/** nninit's own messages name the argument and what was expected: good enough for clients. */
function inOurWords(check) {
  try {
    return check();
  } catch (error) {
    if (error instanceof TypeError || error instanceof RangeError) throw new RequestError(400, error.message);
    throw error;
  }
}

function required(query, name) {
  const value = query.get(name);
  if (value === null || value === '') throw new RequestError(400, `${name}: expected a value`);
  return value;
}

function refuseRepeated(query) {
  for (const name of new Set(query.keys())) {
    if (query.getAll(name).length > 1) throw new RequestError(400, `${name}: expected one value, but it is repeated`);
  }
}

function parseShape(text) {
  if (!/^\d{1,15}([x,]\d{1,15}){0,7}$/.test(text)) {
    throw new RequestError(
      400,
      `shape: expected up to 8 whole numbers such as 64x3x7x7, but received '${text.slice(0, 100)}'`,
    );
  }
  return text.split(/[x,]/).map(Number);
}

function parseSeed(query) {
  const text = query.get('seed');
  if (text === null) return {};
  if (!/^-?\d{1,20}$/.test(text)) {
    throw new RequestError(400, `seed: expected an integer in [-2^63, 2^64), but received '${text.slice(0, 100)}'`);
  }
  return { seed: BigInt(text) };
}

function parseInitializer(query) {
  const init = required(query, 'init');
  if (!Object.hasOwn(initializers, init)) {
    inOurWords(() => resolve(init, [])); // says which there are, and which may be meant
  }
  const initializer = { init };
  for (const [name, text] of query) {
    if (ownParameters.includes(name)) continue;
    const parameter = initializers[init].parameters.find((each) => each.name === name);
    if (parameter === undefined) {
      const known = [...ownParameters, ...initializers[init].parameters.map((each) => each.name)];
      throw new RequestError(400, `${name.slice(0, 100)}: unknown; ${init} takes ${known.join(', ')}`);
    }
    if (parameter.kind !== 'enum' && text.trim() === '') throw new RequestError(400, `${name}: expected a number`);
    initializer[name] = parameter.kind === 'enum' ? text : Number(text);
  }
  return initializer;
}
