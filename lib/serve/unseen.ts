import { errorCode, InputError } from '../core/errors.js';
import { unreadable } from '../formats/source/file.js';

/** Of what is not there, is a folder where a file was looked for, may not be seen, or has a name that none can have. */
const unseenCodes = [
  'ENOENT',
  'ENOTDIR',
  'EACCES',
  'EPERM',
  'EISDIR',
  'ELOOP',
  'ENAMETOOLONG',
  'ERR_INVALID_ARG_VALUE',
];

/**
 * What a look at the disk gives where there is nothing to be seen. Whatever else goes wrong, such as too many open files or a share that is away, tells nothing of
 * what there is: no list may be shorter for it, and no commit another one.
 *
 * @throws InputError (ERR_NNINIT_READ) for that
 */
export const unseen =
  <T>(nothing: T) =>
  (cause: unknown): T => {
    const code = errorCode(cause) ?? '';
    if (unseenCodes.includes(code)) return nothing;
    throw unreadable(String((cause as { readonly path?: unknown }).path ?? 'a folder'), cause);
  };

const passingCodes = ['EMFILE', 'ENFILE', 'EIO', 'ENOMEM', 'EAGAIN', 'EBUSY', 'ESTALE', 'ETIMEDOUT', 'EHOSTDOWN'];

/** Whether the system did not tell, for a reason that may pass, what an input is made of. */
export const isUntold = (error: unknown): boolean =>
  error instanceof InputError && passingCodes.includes(errorCode(error.cause) ?? '');
