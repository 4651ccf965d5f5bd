// Where the benchmark's commands still look for them.
export { InputError, InterruptedError, stdout_name } from '../input/errors.js';
