/** The page at `/`: what this is, and how it does. */

export interface RelayStatus {
  readonly contacts: number;
  readonly nodes: number;
  readonly counters: Readonly<Record<string, number>>;
}

/** HTML without scripts; all that is inserted are numbers and names of our own. */
export function statusPage({ contacts, nodes, counters }: RelayStatus): string {
  const rows: readonly (readonly [string, number])[] = [
    ['contacts in the DHT', contacts],
    ['nodes in the DHT, estimated', nodes],
    ...Object.entries(counters),
  ];
  const cells = rows.map(([name, value]) => `<tr><th>${name}</th><td>${value}</td></tr>`).join('\n');
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>pkarr relay</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:40rem;margin:2rem auto;padding:0 1rem}th{text-align:left;font-weight:normal;padding-right:2rem}td{text-align:right}</style>
<h1>pkarr relay</h1>
<p>Signed DNS packets of the BitTorrent Mainline DHT. <code>GET /&lt;key&gt;</code> reads one, <code>PUT /&lt;key&gt;</code> publishes one.</p>
<table>
${cells}
</table>
</html>
`;
}
