import { InvalidArgumentError } from 'commander';
import type { Part } from '../checkpoint/write/parts/shares.js';
import { InputError } from '../core/errors.js';

const mostParts = 1_000_000;

/** `--part`, from `i/n`. */
export function parsePart(text: string): Part {
  const [, index, count] = /^(\d{1,7})\/(\d{1,7})$/.exec(text) ?? [];
  const part = { index: Number(index), count: Number(count) };
  if (index !== undefined && part.index < part.count && part.count <= mostParts) return part;
  throw new InvalidArgumentError(`Expected i/n, such as 0/8, with i from 0 to n - 1 and n up to ${mostParts}.`);
}

/**
 * The part that a job's own variables name: those of an Indexed Job of Kubernetes, or of an array of Slurm.
 *
 * @throws InputError where there are none, or they count otherwise than by steps
 */
export function partOfJob(environment: Readonly<Record<string, string | undefined>>): Part {
  const number = (name: string): number | undefined => {
    const text = environment[name];
    if (text === undefined || text === '') return undefined;
    if (/^\d{1,9}$/.test(text)) return Number(text);
    throw new InputError(`expected a whole number in ${name}, but found ${JSON.stringify(text)}`);
  };
  const [completion, completions] = [number('JOB_COMPLETION_INDEX'), number('JOB_COMPLETIONS')];
  if (completion !== undefined && completions !== undefined) return checked(completion, completions);
  const [task, tasks] = [number('SLURM_ARRAY_TASK_ID'), number('SLURM_ARRAY_TASK_COUNT')];
  if (task === undefined || tasks === undefined) {
    throw new InputError(
      '--part without i/n takes JOB_COMPLETION_INDEX and JOB_COMPLETIONS, or SLURM_ARRAY_TASK_ID and ' +
        'SLURM_ARRAY_TASK_COUNT, which are not set: give --part i/n',
    );
  }
  // An array may begin anywhere, and count by steps: 1-8, 0-70:10.
  const [min, step] = [number('SLURM_ARRAY_TASK_MIN') ?? 0, number('SLURM_ARRAY_TASK_STEP') || 1];
  return checked((task - min) / step, tasks);
}

function checked(index: number, count: number): Part {
  if (Number.isInteger(index) && index >= 0 && index < count && count <= mostParts) return { index, count };
  throw new InputError(`the job's variables say part ${index} of ${count}: give --part i/n`);
}
