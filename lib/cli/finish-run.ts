import { readdir } from 'node:fs/promises';
import { finishCheckpoint } from '../checkpoint/write/parts/finish.js';
import { errorCode } from '../core/errors.js';
import { count, counted, printable, size } from '../core/text.js';
import { manifestName } from '../formats/raw/names.js';
import { readHeaders } from '../formats/reader.js';
import type { FinishCommandOptions } from './finish.js';
import { writeJson } from './json.js';
import type { Streams } from './program.js';
import { withSignals } from './signals.js';

/** Finishes what parts have written, and says what it is. */
export async function runFinish(
  folder: string,
  { json, quiet }: FinishCommandOptions,
  { stdout }: Streams,
): Promise<void> {
  try {
    const left = '; nninit finish goes on';
    const written = await withSignals((signal) => finishCheckpoint(folder, { signal }), { left, json });
    const { path, files, tensors, parameters, bytes } = written;
    const facts = [counted(files, 'file'), counted(tensors, 'tensor'), counted(parameters, 'parameter')];
    if (json) writeJson(stdout, written);
    else if (!quiet) stdout.write(`${printable(path)}: ${facts.join(', ')}, ${count(bytes)} bytes (${size(bytes)})\n`);
  } catch (cause) {
    // A job that finishes may be run again after it has done so.
    if (errorCode(cause) !== 'ERR_NNINIT_NO_PARTS' || !(await isCheckpoint(folder))) throw cause;
    await readHeaders(folder); // says what is missing, and which file is cut off
    if (json) writeJson(stdout, { path: folder, complete: true });
    else if (!quiet) stdout.write(`${printable(folder)} is complete already\n`);
  }
}

async function isCheckpoint(folder: string): Promise<boolean> {
  const names = await readdir(folder).catch((): string[] => []);
  if (names.some((name) => name.startsWith('.nninit-'))) return false;
  const isLast = (name: string) => name.endsWith('.safetensors.index.json') || name === manifestName;
  return names.some((name) => isLast(name) || (name.endsWith('.safetensors') && !/-\d{5}-of-\d{5}\./.test(name)));
}
