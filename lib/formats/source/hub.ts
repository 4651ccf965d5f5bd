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

/** The token in `HF_TOKEN`, for addresses at the Hub and for no other server. */
export function hubToken({ origin }: URL): string | undefined {
  return origin === new URL(endpoint()).origin ? process.env.HF_TOKEN?.trim() || undefined : undefined;
}
