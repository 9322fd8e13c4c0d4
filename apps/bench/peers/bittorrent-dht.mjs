/** bittorrent-dht as it comes, on a private loopback network. */
import DHT from 'bittorrent-dht';

const start = (bootstrap) =>
  new Promise((resolve, reject) => {
    const dht = new DHT({ bootstrap, host: false });
    dht.once('error', reject);
    dht.listen(0, '127.0.0.1', () => {
      if (bootstrap === false) resolve(dht);
      else dht.once('ready', () => resolve(dht));
    });
  });

export const driver = {
  name: 'bittorrent-dht',
  encrypted: false,
  async host(count) {
    const nodes = [await start(false)];
    const seed = `127.0.0.1:${nodes[0].address().port}`;
    for (let i = 1; i < count; i++) nodes.push(await start([seed]));
    return {
      bootstrap: [seed],
      close: () => Promise.all(nodes.map((n) => new Promise((done) => n.destroy(done)))),
    };
  },
  async client(bootstrap) {
    const dht = await start(bootstrap);
    const [host, port] = bootstrap[0].split(':');
    const first = { host, port: Number(port) };
    const query = (q, a) =>
      new Promise((resolve, reject) =>
        dht._rpc.query(first, { q, a }, (error, reply) => (error ? reject(error) : resolve(reply))),
      );
    return {
      put: (value) =>
        new Promise((resolve, reject) =>
          dht.put({ v: Buffer.from(value) }, (error, hash) =>
            error ? reject(error) : resolve(Buffer.from(hash).toString('hex')),
          ),
        ),
      get: (key) =>
        new Promise((resolve, reject) =>
          dht.get(key, { cache: false }, (error, found) =>
            error || !found ? reject(error ?? new Error('not found')) : resolve(found.v),
          ),
        ),
      lookup: (target) =>
        new Promise((resolve, reject) =>
          dht.lookup(Buffer.from(target.subarray(0, 20)).toString('hex'), (error) =>
            error ? reject(error) : resolve(),
          ),
        ),
      ping: () => query('ping', { id: dht.nodeId }),
      findNode: (target) =>
        query('find_node', { id: dht.nodeId, target: Buffer.from(target.subarray(0, 20)) }),
      close: () => new Promise((done) => dht.destroy(done)),
    };
  },
};
