import { printable } from '../core/text.js';

/** A call that waits for an order: several may, and each is told all. */
export class Waiting {
  /** Lines of the order's log that it was told. */
  told: number;
  ended = false;
  /** Rejects with what its listener has thrown where nobody else would hear of it. */
  readonly failed: Promise<never>;
  readonly #onMessage: ((text: string) => void) | undefined;
  #fail: (cause: unknown) => void = () => {};

  constructor(onMessage: ((text: string) => void) | undefined, told: number) {
    this.#onMessage = onMessage;
    this.told = told;
    this.failed = new Promise((_, reject) => {
      this.#fail = reject;
    });
    this.failed.catch(() => {}); // it is looked at where the order is waited for
  }

  get listens(): boolean {
    return this.#onMessage !== undefined;
  }

  tell(text: string): void {
    this.#onMessage?.(printable(text));
  }

  tellOrFail(text: string): void {
    try {
      this.tell(text);
    } catch (cause) {
      this.#fail(cause);
    }
  }

  end(): void {
    this.ended = true;
  }
}
