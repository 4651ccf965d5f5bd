import { InputError } from '../../core/errors.js';

const usualEndpoint = 'https://huggingface.co';

/** The Hub, or the server in its place that `HF_ENDPOINT` names; undefined where what that says is no address. */
function endpoint(): string | undefined {
  const { HF_ENDPOINT: given } = process.env;
  if (!given) return usualEndpoint;
  const address = given.trim(); // a line feed, as files of settings have it, would hide a slash
  return /^https?:\/\//i.test(address) && URL.canParse(address) ? address.replace(/\/+$/, '') : undefined;
}

/**
 * The address of a repository's files, for `hf:org/name` or `hf:org/name@revision`.
 *
 * @throws InputError for what names no repository, and where `HF_ENDPOINT` is no address: another server is not to be asked in its place
 */
export function hubAddress(text: string): string {
  const [, repository, revision = 'main'] = /^hf:((?:[\w-][\w.-]*\/)?[\w-][\w.-]*)(?:@(.+))?$/i.exec(text) ?? [];
  if (repository === undefined) {
    throw new InputError(`expected hf:org/name or hf:org/name@revision, but received ${JSON.stringify(text)}`, {
      path: text,
    });
  }
  const hub = endpoint();
  if (hub === undefined) {
    const received = JSON.stringify(process.env.HF_ENDPOINT);
    throw new InputError(`HF_ENDPOINT: expected an address of http or https, but received ${received}`);
  }
  return `${hub}/${repository}/resolve/${encodeURIComponent(revision)}/`;
}

/**
 * The token in `HF_TOKEN`, for addresses at the Hub and for no other server.
 *
 * @throws InputError for what no header can hold: fetch's own error would show it
 */
export function hubToken({ origin }: URL): string | undefined {
  const hub = endpoint();
  const token = hub !== undefined && origin === new URL(hub).origin ? process.env.HF_TOKEN?.trim() : undefined;
  if (token !== undefined && /[^\x21-\x7e]/.test(token)) {
    throw new InputError('HF_TOKEN: expected a token of letters, digits and signs, but it has other characters in it');
  }
  return token || undefined;
}
