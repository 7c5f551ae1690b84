"""Calls the emulator with X's own Python SDK, unchanged: every method for webhooks and account
activity but those for stream links, which are of another product. Called by `cargo xtask peers`.
"""
import base64, hashlib, hmac, inspect, json, sys, threading, time, urllib.parse, urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version

from xdk import Client
from xdk.account_activity.models import CreateSubscriptionRequest
from xdk.oauth1_auth import OAuth1
from xdk.webhooks.models import CreateRequest, CreateWebhookReplayJobRequest

EMULATOR = sys.argv[1]
SECRET = b"emulator-secret"
# Links between filtered streams and webhooks.
LEFT_OUT = {"get_stream_links", "create_stream_link", "delete_stream_link"}


class Webhook(BaseHTTPRequestHandler):
    delivered = 0

    def do_GET(self):
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        mac = hmac.new(SECRET, query["crc_token"][0].encode(), hashlib.sha256).digest()
        token = "sha256=" + base64.b64encode(mac).decode()
        self.answer(json.dumps({"response_token": token}).encode())

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        Webhook.delivered += 1
        self.answer(b"")

    def answer(self, body):
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def control(call, body):
    request = urllib.request.Request(f"{EMULATOR}/_emulator/{call}", json.dumps(body).encode())
    request.add_header("content-type", "application/json")
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def minute(ago):
    return time.strftime("%Y%m%d%H%M", time.gmtime(time.time() - 60 * ago))


class Judged:
    """A client of the SDK that notes which methods were called."""

    def __init__(self, inner, called):
        self.inner, self.called = inner, called

    def __getattr__(self, name):
        method = getattr(self.inner, name)

        def call(*args, **kwargs):
            answer = method(*args, **kwargs)
            self.called.add((type(self.inner).__name__, name))
            return answer

        return call


def methods(client):
    public = inspect.getmembers(type(client), inspect.isfunction)
    return {(type(client).__name__, name) for name, _ in public if not name.startswith("_")}


server = ThreadingHTTPServer(("127.0.0.1", 0), Webhook)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/hook"

app = Client(base_url=EMULATOR, bearer_token="emulator-bearer")
oauth1 = OAuth1("emulator-key", "emulator-secret", "oob", "7-emulator", "7-emulator-secret")
called, all_methods = set(), methods(app.webhooks) | methods(app.account_activity)
webhooks, activity = Judged(app.webhooks, called), Judged(app.account_activity, called)

# One round for each way in which a user may subscribe.
for name, user in [
    ("OAuth 1.0a", Client(base_url=EMULATOR, auth=oauth1)),
    ("OAuth 2.0", Client(base_url=EMULATOR, access_token="7-emulator-oauth2")),
]:
    mine = Judged(user.account_activity, called)
    before = Webhook.delivered
    hook = webhooks.create(body=CreateRequest(url=url)).data
    hook_id = hook["id"] if isinstance(hook, dict) else hook.id
    listed = webhooks.get(webhook_config_fields=["id", "url", "valid", "created_at"]).data
    assert len(listed) == 1, listed
    webhooks.validate(hook_id)
    mine.create_subscription(hook_id, body=CreateSubscriptionRequest({}))
    mine.validate_subscription(hook_id)
    assert activity.get_subscription_count().data is not None
    assert activity.get_subscriptions(hook_id).data is not None
    control("events?wait=true", {"kind": "favorite_events", "user_id": "7"})
    assert Webhook.delivered == before + 1, "the event was not delivered"
    job = CreateWebhookReplayJobRequest(webhook_id=hook_id, from_date=minute(90), to_date=minute(45))
    webhooks.create_webhook_replay_job(body=job)
    activity.delete_subscription(hook_id, "7")
    webhooks.delete(hook_id)
    assert not webhooks.get().data, "the webhook is still there"

missing = {name for _, name in all_methods - called} - LEFT_OUT
if missing:
    sys.exit(f"not called: {', '.join(sorted(missing))}")
print(f"xdk {version('xdk')}: {len(called)} of {len(all_methods)} methods called, 0 failed, "
      f"{len(LEFT_OUT)} left out (stream links)")
