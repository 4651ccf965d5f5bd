// Where the benchmark still looks for it.
export { strerror } from '../input/strerror.js';
