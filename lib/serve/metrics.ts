import type { Pool } from '../pool/pool.js';

const rateSeconds = 10;

/** What a server has done, as Prometheus reads it (text format 0.0.4). */
export class Metrics {
  bytes = 0;
  #rate = 0;
  #sentAt = performance.now();
  #requests = new Map<string, number>();
  #seconds = 0;

  /** One request is answered. */
  count(kind: string, status: number, seconds: number): void {
    const key = `kind="${kind}",status="${status}"`;
    this.#requests.set(key, (this.#requests.get(key) ?? 0) + 1);
    this.#seconds += seconds;
  }

  /** Bytes of a file are sent. */
  send(bytes: number): void {
    this.#rate = this.rate + bytes / rateSeconds;
    this.#sentAt = performance.now();
    this.bytes += bytes;
  }

  /** Bytes a second, of the last ten or so. */
  get rate(): number {
    return this.#rate * Math.exp((this.#sentAt - performance.now()) / 1000 / rateSeconds);
  }

  get requests(): number {
    return [...this.#requests.values()].reduce((sum, each) => sum + each, 0);
  }

  text(inFlight: number, pool: Pool): string {
    const { threads, queue, completed, utilization } = pool.statistics();
    const lines: string[] = [];
    const metric = (
      name: string,
      type: 'counter' | 'gauge',
      help: string,
      values: readonly (readonly [string, number])[],
    ) => {
      lines.push(`# HELP nninit_${name} ${help}`, `# TYPE nninit_${name} ${type}`);
      for (const [labels, value] of values) lines.push(`nninit_${name}${labels === '' ? '' : `{${labels}}`} ${value}`);
    };
    metric('requests_total', 'counter', 'Requests that were answered.', [...this.#requests]);
    metric('request_seconds_total', 'counter', 'Time from requests to the ends of their answers.', [
      ['', this.#seconds],
    ]);
    metric('sent_bytes_total', 'counter', 'Bytes of files that were sent.', [['', this.bytes]]);
    metric('requests_in_flight', 'gauge', 'Requests that are being answered.', [['', inFlight]]);
    metric('pool_threads', 'gauge', 'Worker threads.', [['', threads]]);
    metric('pool_queue', 'gauge', 'Tasks that wait for a worker.', [['', queue]]);
    metric('pool_tasks_total', 'counter', 'Tasks that workers have done.', [['', completed]]);
    metric('pool_utilization', 'gauge', 'The share of the time of all workers that was spent in tasks.', [
      ['', utilization],
    ]);
    metric('resident_bytes', 'gauge', 'Memory of the process.', [['', process.memoryUsage.rss()]]);
    return `${lines.join('\n')}\n`;
  }
}
