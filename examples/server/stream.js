// Writes a tensor into a response while it is generated.

const chunkBytes = 512 * 1024;
/** One is being filled while others are on their way to the client. */
const chunksAhead = 3;

/**
 * A tensor in chunks. At most three are in memory, each used again when the system has taken its bytes: a client that reads
 * slowly makes the generation wait, and costs no more memory than a fast one.
 */
export async function streamChunks(pool, response, request, signal) {
  const { dtype, fill, key, elements, bytesEach } = request;
  const each = Math.min(elements, chunkBytes / bytesEach);
  const ring = new Ring(
    Array.from({ length: chunksAhead }, () => pool.empty([each], { dtype }).data),
    signal,
  );
  for (let begin = 0; begin < elements; begin += each) {
    const memory = await ring.take();
    const chunk = memory.subarray(0, Math.min(each, elements - begin));
    await pool.runFill(chunk, dtype, fill, key, begin, { signal });
    response.write(bytesOf(chunk), () => ring.give(memory));
  }
}

/** A tensor that can only be made as a whole. */
export async function makeWhole(pool, request, signal) {
  const { data } = pool.empty([request.elements], { dtype: request.dtype });
  await pool.runFill(data, request.dtype, request.fill, request.key, 0, { signal });
  return bytesOf(data);
}

/** Writes bytes piece by piece, so that other requests get their turn. */
export async function writePieces(response, bytes, signal) {
  for (let begin = 0; begin < bytes.length; begin += chunkBytes) {
    signal.throwIfAborted();
    await new Promise((resolve) => response.write(bytes.subarray(begin, begin + chunkBytes), resolve));
  }
}

function bytesOf({ buffer, byteOffset, byteLength }) {
  return Buffer.from(buffer, byteOffset, byteLength);
}

/** Memory that goes round. */
class Ring {
  #free;
  #waiting;

  constructor(free, signal) {
    this.#free = free;
    signal.addEventListener('abort', () => this.#waiting?.reject(signal.reason));
  }

  take() {
    const memory = this.#free.pop();
    if (memory !== undefined) return memory;
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
    });
  }

  give(memory) {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting === undefined) this.#free.push(memory);
    else waiting.resolve(memory);
  }
}
