/** bittorrent-dht as it comes, as a program of the `mainline` suite (src/mainline/program.ts has the requests). */
import { randomBytes } from 'node:crypto';
import { createInterface } from 'node:readline';
import DHT from 'bittorrent-dht';

const nodes = [];

const start = (ports) =>
  new Promise((resolve, reject) => {
    const bootstrap = ports.length > 0 && ports.map((port) => `127.0.0.1:${port}`);
    const dht = new DHT({ bootstrap, host: false });
    nodes.push(dht);
    dht.once('error', reject);
    dht.listen(0, '127.0.0.1', () => {
      if (bootstrap === false) resolve(dht);
      else dht.once('ready', () => resolve(dht));
    });
  });

const put = (dht, value) =>
  new Promise((resolve, reject) =>
    dht.put({ v: value }, (error, hash) => (error ? reject(error) : resolve(hash))),
  );
const get = (dht, target) =>
  new Promise((resolve, reject) =>
    dht.get(target, { cache: false }, (error, found) => (error ? reject(error) : resolve(found?.v))),
  );

async function store({ count, valueBytes }) {
  const [writer, reader] = nodes;
  const putMs = [];
  const getMs = [];
  const stored = [];
  for (let i = 0; i < count; i++) {
    const value = randomBytes(valueBytes);
    const at = performance.now();
    try {
      stored.push({ target: await put(writer, value), value });
      putMs.push(performance.now() - at);
    } catch {
      putMs.push(null);
    }
  }
  for (const { target, value } of stored) {
    const at = performance.now();
    const found = await get(reader, target).catch(() => undefined);
    const ms = performance.now() - at;
    getMs.push(found && value.equals(found) ? ms : null);
  }
  return { putMs, getMs };
}

async function lookups({ inFlight, seconds }) {
  let done = 0;
  let failed = 0;
  const at = performance.now();
  const until = at + seconds * 1000;
  const loop = async () => {
    while (performance.now() < until)
      await get(nodes[1], randomBytes(20)).then(
        () => done++,
        () => failed++,
      );
  };
  await Promise.all(Array.from({ length: inFlight }, loop));
  return { done, failed, seconds: (performance.now() - at) / 1000 };
}

async function handle(request) {
  switch (request.do) {
    case 'serve': {
      const ports = [...request.ports];
      for (let i = 0; i < request.count; i++) ports.push((await start(ports.slice(0, 3))).address().port);
      return ports.slice(request.ports.length);
    }
    case 'join':
      for (let i = 0; i < 2; i++) await start(request.ports);
      return null;
    case 'cpu': {
      const { user, system } = process.cpuUsage();
      return user + system;
    }
    case 'store':
      return store(request);
    case 'lookups':
      return lookups(request);
    default:
      throw new Error(`unknown: ${request.do}`);
  }
}

let last = Promise.resolve();
createInterface({ input: process.stdin })
  .on('line', (line) => {
    last = last
      .then(() => handle(JSON.parse(line)))
      .then(
        (result) => console.log(JSON.stringify({ result })),
        (error) => console.log(JSON.stringify({ error: error.stack ?? String(error) })),
      );
  })
  .on('close', () => process.exit(0));
