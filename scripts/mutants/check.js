// Whether the addon that NNINIT_ADDON names gives every path the recorded bytes: exit 1 and the first that differs if not.
import { digestOf, otherWays, paths, plainWay, recordedPaths, take } from '../../build/modules/bench/harness/paths.js';

const recorded = recordedPaths();
for (const way of [plainWay, ...otherWays.slice(2, 4)]) {
  for (const path of paths()) {
    let digest;
    try {
      digest = digestOf(take(path, way));
    } catch (error) {
      digest = error.message;
    }
    if (digest !== recorded[path.name]) {
      console.log(path.name);
      process.exit(1);
    }
  }
}
