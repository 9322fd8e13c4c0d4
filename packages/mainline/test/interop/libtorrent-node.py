"""A libtorrent DHT node on the loopback address, driven by lines of JSON."""
import hashlib
import json
import sys
import time

import libtorrent as lt

session = lt.session({
    "listen_interfaces": "127.0.0.1:0",
    "enable_dht": True,
    "enable_lsd": False,
    "enable_upnp": False,
    "enable_natpmp": False,
    "dht_bootstrap_nodes": "",
    "dht_block_ratelimit": 1000000,
    "dht_restrict_routing_ips": False,
    "dht_restrict_search_ips": False,
    "dht_enforce_node_id": False,
    "dht_prefer_verified_node_ids": False,
    "dht_ignore_dark_internet": False,
    "dht_upload_rate_limit": 10000000,
    "alert_mask": lt.alert.category_t.all_categories,
})


def wait(name, seconds=20):
    end = time.time() + seconds
    while time.time() < end:
        for alert in session.pop_alerts():
            if type(alert).__name__ == name:
                return alert
        time.sleep(0.01)
    return None


def expanded(seed):
    digest = bytearray(hashlib.sha512(seed).digest())
    digest[0] &= 248
    digest[31] = (digest[31] & 63) | 64
    return bytes(digest)


def run(request):
    what = request["do"]
    if what == "port":
        return session.listen_port()
    if what == "node":
        session.add_dht_node(("127.0.0.1", request["port"]))
        return True
    if what == "put":
        target = session.dht_put_immutable_item(request["value"])
        alert = wait("dht_put_alert")
        return {"target": str(target), "stored": -1 if alert is None else alert.num_success}
    if what == "get":
        session.dht_get_immutable_item(lt.sha1_hash(bytes.fromhex(request["target"])))
        alert = wait("dht_immutable_item_alert")
        item = None if alert is None else alert.item
        return None if item is None else (item["value"] if isinstance(item, dict) else item).decode()
    if what == "put_mutable":
        seed, key = bytes.fromhex(request["seed"]), bytes.fromhex(request["key"])
        session.dht_put_mutable_item(expanded(seed), key, request["value"].encode(), request["salt"].encode())
        alert = wait("dht_put_alert")
        return -1 if alert is None else alert.num_success
    return None


for line in sys.stdin:
    print(json.dumps(run(json.loads(line))), flush=True)
