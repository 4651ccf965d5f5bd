import { InputError } from '../../core/errors.js';

const usualEndpoint = 'https://huggingface.co';

/** The Hub, or the server in its place that `HF_ENDPOINT` names. */
function endpoint(): string {
  const { HF_ENDPOINT: given } = process.env;
  return given && URL.canParse(given) ? given.replace(/\/+$/, '') : usualEndpoint;
}

/**
 * The address of a repository's files, for `hf:org/name` or `hf:org/name@revision`.
 *
 * @throws InputError for what names no repository
 */
export function hubAddress(text: string): string {
  const [, repository, revision = 'main'] = /^hf:((?:[\w-][\w.-]*\/)?[\w-][\w.-]*)(?:@(.+))?$/i.exec(text) ?? [];
  if (repository === undefined) {
    throw new InputError(`expected hf:org/name or hf:org/name@revision, but received ${JSON.stringify(text)}`, {
      path: text,
    });
  }
  return `${endpoint()}/${repository}/resolve/${encodeURIComponent(revision)}/`;
}

/**
 * The token in `HF_TOKEN`, for addresses at the Hub and for no other server.
 *
 * @throws InputError for what no header can hold: fetch's own error would show it
 */
export function hubToken({ origin }: URL): string | undefined {
  const token = origin === new URL(endpoint()).origin ? process.env.HF_TOKEN?.trim() : undefined;
  if (token !== undefined && /[^\x21-\x7e]/.test(token)) {
    throw new InputError('HF_TOKEN: expected a token of letters, digits and signs, but it has other characters in it');
  }
  return token || undefined;
}
