"""libtorrent (python3-libtorrent) as a program of the `mainline` suite; src/mainline/program.ts has the requests."""
import json
import os
import resource
import sys
import time

import libtorrent as lt

# Limits against floods and rules for public addresses are off: everything here is one address. libtorrent multiplies the rates
# by 3 and by 10 in an int.
SETTINGS = {
    "listen_interfaces": "127.0.0.1:0",
    "enable_dht": True,
    "enable_lsd": False,
    "enable_upnp": False,
    "enable_natpmp": False,
    "enable_incoming_tcp": False,
    "enable_outgoing_tcp": False,
    "dht_bootstrap_nodes": "",
    "dht_block_ratelimit": 1 << 26,
    "dht_restrict_routing_ips": False,
    "dht_restrict_search_ips": False,
    "dht_enforce_node_id": False,
    "dht_prefer_verified_node_ids": False,
    "dht_ignore_dark_internet": False,
    "dht_upload_rate_limit": 1 << 28,
    "alert_queue_size": 100000,
    "alert_mask": lt.alert.category_t.dht_notification,
}
# Pause between two looks at the alerts: it is part of the latencies below.
POLL_SECONDS = 0.0001

sessions = []


def start(ports):
    session = lt.session(SETTINGS)
    sessions.append(session)
    for port in ports:
        session.add_dht_node(("127.0.0.1", port))
    end = time.monotonic() + 20
    while ports and session.status().dht_nodes < min(len(ports), 8):
        if time.monotonic() > end:
            raise RuntimeError("libtorrent found no nodes")
        time.sleep(0.05)
    return session


def alerts(session):
    """Alerts of finished puts and gets; each must be read before the next look."""
    for alert in session.pop_alerts():
        if isinstance(alert, (lt.dht_put_alert, lt.dht_immutable_item_alert)):
            yield alert


def wait(session, kind, target):
    end = time.monotonic() + 30
    while time.monotonic() < end:
        for alert in alerts(session):
            if isinstance(alert, kind) and str(alert.target) == target:
                return alert
        time.sleep(POLL_SECONDS)
    return None


def value_of(alert):
    item = alert.item
    return item.get("value") if isinstance(item, dict) else item


def store(request):
    writer, reader = sessions
    put_ms, get_ms, stored = [], [], []
    for _ in range(request["count"]):
        # The binding wants text; one byte a character.
        value = os.urandom(request["valueBytes"] // 2).hex()
        at = time.monotonic()
        target = str(writer.dht_put_immutable_item(value))
        alert = wait(writer, lt.dht_put_alert, target)
        ms = (time.monotonic() - at) * 1000
        if alert is None or alert.num_success == 0:
            put_ms.append(None)
        else:
            put_ms.append(ms)
            stored.append((target, value))
    for target, value in stored:
        at = time.monotonic()
        reader.dht_get_immutable_item(lt.sha1_hash(bytes.fromhex(target)))
        alert = wait(reader, lt.dht_immutable_item_alert, target)
        ms = (time.monotonic() - at) * 1000
        found = None if alert is None else value_of(alert)
        get_ms.append(ms if found in (value, value.encode()) else None)
    return {"putMs": put_ms, "getMs": get_ms}


def lookups(request):
    reader = sessions[1]
    running = {}
    done = failed = 0
    at = time.monotonic()
    until = at + request["seconds"]

    def begin():
        target = os.urandom(20)
        running[target.hex()] = time.monotonic()
        reader.dht_get_immutable_item(lt.sha1_hash(target))

    for _ in range(request["inFlight"]):
        begin()
    while running:
        for alert in alerts(reader):
            if running.pop(str(alert.target), None) is not None:
                done += 1
                if time.monotonic() < until:
                    begin()
        for target, since in list(running.items()):
            if time.monotonic() - since > 30:
                del running[target]
                failed += 1
        time.sleep(POLL_SECONDS)
    return {"done": done, "failed": failed, "seconds": time.monotonic() - at}


def handle(request):
    what = request["do"]
    if what == "serve":
        return [start(request["ports"]).listen_port() for _ in range(request["count"])]
    if what == "join":
        for _ in range(2):
            start(request["ports"])
        return None
    if what == "cpu":
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return int((usage.ru_utime + usage.ru_stime) * 1e6)
    if what == "store":
        return store(request)
    if what == "lookups":
        return lookups(request)
    raise RuntimeError("unknown: " + what)


for line in sys.stdin:
    try:
        answer = {"result": handle(json.loads(line))}
    except Exception as error:  # noqa: BLE001 - everything is reported to the suite
        answer = {"error": repr(error)}
    print(json.dumps(answer), flush=True)
