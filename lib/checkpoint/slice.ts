// The geometry of slices stands below checkpoints, since the public fill_slice needs it too.
export { type Run, runs_of, type Slice, type SliceRange, shape_of_slice } from '../slice.js';
