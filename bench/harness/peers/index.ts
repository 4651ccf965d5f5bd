import { existsSync } from 'node:fs';
import { quoted } from '../../../lib/core/check.js';
import { InputError } from '../../../lib/core/errors.js';
import { packageFile } from '../../../lib/core/package-files.js';
import { ask, type Command, childCommand } from '../process.js';
import { type PeerJob, type PeerMeasured, peerMeasuredSchema } from '../schema.js';

const script = (name: string) => packageFile(`bench/peers/${name}`);

interface Peer {
  readonly label: string;
  readonly kind: 'python' | 'npm' | 'loop';
  /** Of the kind npm. */
  readonly package?: string;
}

/** Other libraries that fill memory with weights; none is installed with nninit. */
export const peers = {
  torch: { label: 'PyTorch', kind: 'python' },
  numpy: { label: 'NumPy', kind: 'python' },
  jax: { label: 'JAX', kind: 'python' },
  tensorflow: { label: 'TensorFlow', kind: 'python' },
  tfjs: { label: 'TensorFlow.js', kind: 'npm', package: '@tensorflow/tfjs' },
  onnxruntime: { label: 'ONNX Runtime', kind: 'npm', package: 'onnxruntime-node' },
  loop: { label: 'plain loop', kind: 'loop' },
} as const satisfies Readonly<Record<string, Peer>>;

export type PeerName = keyof typeof peers;
export const peerNames = Object.keys(peers) as PeerName[];

/** The names in a list, checked. */
export function parsePeers(names: readonly string[]): PeerName[] {
  return names.map((name) => {
    if (Object.hasOwn(peers, name)) return name as PeerName;
    throw new InputError(`bench: expected peers among ${quoted(peerNames)}, but received '${name}' of type string`);
  });
}

export interface FoundPeer {
  readonly name: PeerName;
  readonly label: string;
  readonly version: string;
}

function command(name: PeerName, python: string | undefined, job?: PeerJob): Command {
  const text = job === undefined ? [] : [JSON.stringify(job)];
  switch (peers[name].kind) {
    case 'python':
      return { program: python ?? 'python3', args: [script('libraries.py'), name, ...text] };
    case 'npm':
      return { program: process.execPath, args: [script(`${name}.js`), ...text] };
    case 'loop':
      return childCommand('loop', job);
  }
}

/** The last line of an error, in which Python and Node say what is missing. */
function lastLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  const missing = /No module named '?([\w.]+)'?|Cannot find package '([^']+)'/.exec(text);
  if (missing !== null) return `${missing[1] ?? missing[2]} is not installed`;
  return (text.trim().split('\n').at(-1) ?? '').replace(/^bench: /, '');
}

/** A peer and its version, or why it is not there. */
export async function findPeer(
  name: PeerName,
  python: string | undefined,
  signal?: AbortSignal,
): Promise<FoundPeer | string> {
  const { label, kind, package: npm }: Peer = peers[name];
  if (kind === 'loop') return { name, label, version: process.version };
  if (kind === 'python' && python === undefined) return 'no Python was named (--python PATH)';
  if (kind === 'npm' && !existsSync(script(`../node_modules/${npm}`))) {
    return 'not installed (npm install in bench/)';
  }
  try {
    const answer = await ask(label, command(name, python), peerMeasuredSchema, signal);
    return 'version' in answer ? { name, label, version: answer.version } : 'it gave no version';
  } catch (error) {
    signal?.throwIfAborted();
    return lastLine(error);
  }
}

/** Runs one job of a peer in a process of its own. */
export function askPeer(
  name: PeerName,
  python: string | undefined,
  job: PeerJob,
  signal?: AbortSignal,
): Promise<PeerMeasured> {
  const title = `${peers[name].label}, ${job.fill} ${job.dtype}`;
  return ask(title, command(name, python, job), peerMeasuredSchema, signal);
}

const steers =
  /^(OMP|OPENBLAS|GOTO|MKL|KMP|BLIS)_|^XLA_FLAGS$|^TF_(XLA_FLAGS|ENABLE_ONEDNN_OPTS|NUM_\w+)$|^JAX_(ENABLE_X64|DEFAULT_PRNG_IMPL|THREEFRY_PARTITIONABLE)$/;
/** Those that every peer is given anew. */
const replaced = ['OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS'];

/** The variables that steer the libraries under the peers, as far as they are set. Others may be secrets. */
export function steering(environment: NodeJS.ProcessEnv = process.env): Record<string, string> {
  const found = Object.entries(environment).filter(([name]) => steers.test(name) && !replaced.includes(name));
  return Object.fromEntries(found.map(([name, value]) => [name, value ?? '']));
}
