import { textTable } from '../core/table.js';
import { knownModels } from '../plan/known-models.js';
import type { ModelsOptions } from './models.js';
import type { Streams } from './program.js';

/** Prints the models known by name. */
export function runModels({ json }: ModelsOptions, { stdout }: Streams): void {
  if (json) {
    stdout.write(`${JSON.stringify(knownModels, null, 2)}\n`);
    return;
  }
  stdout.write(
    textTable({
      head: ['name', 'family', 'source'],
      align: ['left', 'left', 'left'],
      rows: knownModels.map(({ name, model_type = '', source }) => [name, model_type, source]),
    }),
  );
}
