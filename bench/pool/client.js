// node client.js URL: downloads it again and again, and prints the bytes when it is told to stop by SIGTERM.

import { get } from 'node:http';

const [url = ''] = process.argv.slice(2);
let bytes = 0;

function download() {
  get(url, { agent: false }, (response) => {
    let received = 0;
    response.on('data', (chunk) => {
      received += chunk.length;
      bytes += chunk.length;
    });
    response.on('close', () => {
      if (received !== Number(response.headers['content-length'])) throw new Error('a download ended early');
      download();
    });
  });
}

process.once('SIGTERM', () => {
  console.log(bytes);
  process.exit();
});
download();
