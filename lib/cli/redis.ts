import { checkRedis } from '../cluster/connection.js';
import { InputError } from '../core/errors.js';

/**
 * The address that `--redis` gives, or REDIS_URL where it gives none.
 *
 * @throws InputError
 */
export function redisOf(given: string | true | undefined): string {
  const url = given === true || given === undefined ? process.env.REDIS_URL : given;
  if (!url) throw new InputError('expected --redis redis://host:6379/0, or the address in REDIS_URL');
  try {
    checkRedis('--redis', url);
    return url;
  } catch (cause) {
    throw new InputError(cause instanceof Error ? cause.message : '--redis');
  }
}
