/** What a request is refused with. Whatever else goes wrong is ours: the client learns nothing of it. */
export class Refusal extends Error {
  readonly status: number;
  /** The Hub's and S3's names for the reason. */
  readonly hub: string | undefined;
  readonly s3: string;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: number,
    message: string,
    {
      hub,
      s3 = 'InvalidRequest',
      headers = {},
    }: { readonly hub?: string; readonly s3?: string; readonly headers?: Readonly<Record<string, string>> } = {},
  ) {
    super(message);
    this.status = status;
    this.hub = hub;
    this.s3 = s3;
    this.headers = headers;
  }
}

export const repositoryNotFound = (): Refusal =>
  new Refusal(404, 'Repository not found', { hub: 'RepoNotFound', s3: 'NoSuchKey' });
