// Where the benchmark's commands still look for them.
export { type JsonPath, show_path } from '../input/json.js';
