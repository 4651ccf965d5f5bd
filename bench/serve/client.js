// A child process that downloads ranges and looks at none of the bytes: reading them must cost as little as can be.
import { connect } from 'node:net';

const memory = Buffer.alloc(1 << 20);

/** One range of a file, into memory that is used again. */
function download({ port, path, bytes }) {
  return new Promise((resolve, reject) => {
    let came = 0;
    let head = '';
    const onread = {
      buffer: memory,
      callback(length, buffer) {
        if (head !== undefined) {
          head += buffer.toString('latin1', 0, Math.min(length, 4096));
          const end = head.indexOf('\r\n\r\n');
          if (end < 0) return true;
          if (!head.startsWith('HTTP/1.1 206')) reject(new Error(head.slice(0, end)));
          came -= end + 4;
          head = undefined;
        }
        came += length;
        if (came >= bytes) socket.destroy();
        return true;
      },
    };
    const socket = connect({ port, host: '127.0.0.1', onread }, () => {
      socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nRange: bytes=0-${bytes - 1}\r\n\r\n`);
    });
    socket.on('error', reject);
    socket.on('close', () =>
      came === bytes ? resolve() : reject(new Error(`expected ${bytes} bytes, but ${came} came`)),
    );
  });
}

process.on('message', async ({ clients, ...asked }) => {
  const before = process.cpuUsage();
  const start = performance.now();
  await Promise.all(Array.from({ length: clients }, () => download(asked)));
  const wall = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(before);
  process.send({ wall, cpu: (user + system) / 1e6 });
});
process.once('disconnect', () => process.exit());
