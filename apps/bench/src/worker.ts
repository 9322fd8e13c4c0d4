/**
 * A measured process. The harness forks it with a role and a driver's name and talks to it over IPC:
 * `host` starts a network and waits, `client` joins it and runs one task at a time.
 */
import { pathToFileURL } from 'node:url';
import type { Client, Driver, Host } from './driver.ts';
import { runTask, type Task } from './tasks.ts';

/** Molia's own driver is part of this program; a peer's lies beside its dependencies. */
async function loadDriver(name: string, peersDir: string): Promise<Driver> {
  if (name === 'molia') return (await import('./drivers/molia.ts')).driver;
  const module = (await import(pathToFileURL(`${peersDir}/${name}.mjs`).href)) as { driver: Driver };
  return module.driver;
}

interface Request {
  readonly id: number;
  readonly task: 'start' | 'usage' | 'close' | Task;
}

export async function runWorker(role: string, name: string, peersDir: string): Promise<void> {
  const driver = await loadDriver(name, peersDir);
  let host: Host | undefined;
  let clients: Client[] = [];

  const handle = async (task: Request['task'], argument: unknown): Promise<unknown> => {
    if (task === 'start' && role === 'host') {
      const before = process.memoryUsage.rss();
      host = await driver.host(argument as number);
      return { bootstrap: host.bootstrap, encrypted: driver.encrypted, rssBefore: before };
    }
    if (task === 'start') {
      // One writes, the other reads: nobody reads what it stored itself.
      clients = [await driver.client(argument), await driver.client(argument)];
      return null;
    }
    if (task === 'usage') {
      const { user, system } = process.cpuUsage();
      return { cpuMicros: user + system, rssBytes: process.memoryUsage.rss() };
    }
    if (task === 'close') {
      await Promise.all(clients.map((c) => c.close()));
      await host?.close();
      setTimeout(() => process.exit(0), 50);
      return null;
    }
    return runTask(task, clients[0] as Client, clients[1] as Client);
  };

  process.on('message', (message: Request & { argument?: unknown }) => {
    handle(message.task, message.argument).then(
      (result) => process.send?.({ id: message.id, result }),
      (error: Error) => process.send?.({ id: message.id, error: error.stack ?? String(error) }),
    );
  });
  process.on('disconnect', () => process.exit(1));
  process.send?.({ id: 0, result: 'up' });
}
