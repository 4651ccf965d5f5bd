import { kMaxLength } from 'node:buffer';
import { totalmem } from 'node:os';

/** What fits into memory in one piece. Node.js 20 holds 4 GiB; later ones know no limit but the memory of the machine, or of the container. */
export const mostBytes = Math.min(kMaxLength, totalmem(), process.constrainedMemory() || totalmem());
