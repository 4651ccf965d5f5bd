import type { BenchRun } from '../harness/schema.js';
import { peersPicture } from './peers.js';
import { rooflinePicture } from './roofline.js';
import { sizesPicture, threadsPicture } from './scaling.js';
import { caption } from './style.js';
import { draw, type Picture } from './svg.js';

/** The pictures of a run, by name: those for which it has results. */
export async function picturesOf(run: BenchRun): Promise<[string, string][]> {
  const scaling = run.suite === 'scaling';
  const pictures: Record<string, Picture | undefined> = scaling
    ? { threads: threadsPicture(run), sizes: sizesPicture(run) }
    : {
        peers: peersPicture(run, { all: false }),
        peers_all: peersPicture(run, { all: true }),
        roofline: rooflinePicture(run),
      };
  const drawn: [string, string][] = [];
  for (const [name, picture] of Object.entries(pictures)) {
    if (picture !== undefined) drawn.push([name, await draw(picture, caption(run))]);
  }
  return drawn;
}
