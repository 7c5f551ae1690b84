"""Tests a webhook in Python against the emulator; needs nothing but the standard library.

    aaa emulate --virtual-time --bind 127.0.0.1:7878
    python3 test_with_python.py http://127.0.0.1:7878
"""
import base64, hashlib, hmac, json, sys, threading, urllib.parse, urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

EMULATOR = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:7878"
SECRET = b"emulator-secret"


def signed(data: bytes) -> str:
    mac = hmac.new(SECRET, data, hashlib.sha256).digest()
    return "sha256=" + base64.b64encode(mac).decode()


class Webhook(BaseHTTPRequestHandler):
    """The application under test: it answers challenges and keeps what X signed."""

    received = []

    def do_GET(self):
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        token = query["crc_token"][0].encode()
        self.answer(200, json.dumps({"response_token": signed(token)}).encode())

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        signature = self.headers.get("x-twitter-webhooks-signature", "")
        if not hmac.compare_digest(signature, signed(body)):
            return self.answer(403)
        self.received.append(json.loads(body))
        self.answer(200)

    def answer(self, status, body=b""):
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def call(method, path, body=None, token=None):
    request = urllib.request.Request(EMULATOR + path, method=method)
    request.add_header("content-type", "application/json")
    if token:
        request.add_header("authorization", "Bearer " + token)
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(request, data, timeout=30) as answer:
        return json.load(answer)


server = ThreadingHTTPServer(("127.0.0.1", 0), Webhook)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/hook"

# Whatever a run before has left is forgotten.
call("POST", "/_emulator/reset", {})

# Register the webhook (the emulator challenges it) and subscribe user 7.
webhook = call("POST", "/2/webhooks", {"url": url}, "emulator-bearer")["data"]
subscriptions = f"/2/account_activity/webhooks/{webhook['id']}/subscriptions/all"
call("POST", subscriptions, {}, "7-emulator-oauth2")

# Something happens; with `wait`, the answer comes when it was delivered.
post = {"kind": "tweet_create_events", "user_id": "7", "payload": {"text": "hello"}}
made = call("POST", "/_emulator/events?wait=true", post)["events"]
assert Webhook.received[0]["tweet_create_events"][0]["text"] == "hello"

# The emulator's ledger says what became of every event.
ledger = call("GET", "/_emulator/ledger?id=" + made[0]["id"])
assert ledger["events"][0]["attempts"][0]["status"] == 200

# A fault: the next delivery has a wrong signature, and the application must refuse it.
call("POST", "/_emulator/faults", {"action": {"type": "bad_signature"}})
like = {"kind": "favorite_events", "user_id": "7"}
made = call("POST", "/_emulator/events?wait=true", like)["events"]
ledger = call("GET", "/_emulator/ledger?id=" + made[0]["id"])
assert ledger["events"][0]["attempts"][0]["status"] == 403
assert len(Webhook.received) == 1

server.shutdown()
print("ok: 2 events, 1 received, 1 refused")
