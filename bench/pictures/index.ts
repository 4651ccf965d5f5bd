import type { Run } from '../harness/schema.js';
import { peers_picture } from './peers.js';
import { roofline_picture } from './roofline.js';
import { sizes_picture, threads_picture } from './scaling.js';
import { draw, type Picture } from './svg.js';

/** The pictures of a run, by name: those for which it has results. */
export async function pictures_of(run: Run): Promise<[string, string][]> {
  const scaling = run.suite === 'scaling';
  const pictures: Record<string, Picture | undefined> = scaling
    ? { threads: threads_picture(run), sizes: sizes_picture(run) }
    : {
        peers: peers_picture(run, { all: false }),
        peers_all: peers_picture(run, { all: true }),
        roofline: roofline_picture(run),
      };
  const drawn: [string, string][] = [];
  for (const [name, picture] of Object.entries(pictures)) {
    if (picture !== undefined) drawn.push([name, await draw(picture)]);
  }
  return drawn;
}
