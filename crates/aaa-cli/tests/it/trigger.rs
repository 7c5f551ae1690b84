//! `aaa trigger`, against a real receiver and a real emulator.

use std::{
    collections::BTreeSet,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use aaa_emulator::{
    bodies::{ACTIVITY_KINDS, FILTERED_STREAM, KINDS},
    credentials,
};
use axum::{Router, http::StatusCode, routing::any};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::TcpListener,
    process::Command,
    time::timeout,
};

use crate::{
    lab::{Answers, Lab},
    support::{Done, PATIENCE, Server, aaa, run},
};

const SECRET: &str = credentials::CONSUMER_SECRET;

fn listen(directory: &Path) -> Command {
    let args = ["listen", "--bind", "127.0.0.1:0", "--format", "none", "--recover", "off"];
    let mut command = aaa(directory, &args);
    command.env("X_CONSUMER_SECRET", SECRET);
    command
}

async fn trigger(directory: &Path, args: &[&str]) -> Done {
    let mut command = aaa(directory, &[&["trigger"], args].concat());
    command.env("X_CONSUMER_SECRET", SECRET);
    let done = run(command).await;
    assert!(!done.stderr.contains(SECRET) && !done.stdout.contains(SECRET), "{}", done.stderr);
    done
}

/// The objects that a command printed.
fn objects(done: &Done) -> Vec<Value> {
    done.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn texts(objects: &[Value], member: &str) -> BTreeSet<String> {
    objects.iter().map(|object| object[member].as_str().unwrap().to_owned()).collect()
}

async fn stored(directory: &Path) -> Vec<Value> {
    objects(&run(aaa(directory, &["events", "list", "--json"])).await)
}

/// Takes out of the summary how long it took.
fn timeless(text: &str) -> String {
    match text.split_once(" in ") {
        Some((before, after)) => {
            format!("{before} in TIME {}", after.split_once(" s").unwrap().1)
        }
        None => text.to_owned(),
    }
}

#[tokio::test]
async fn every_kind_arrives_at_a_receiver() {
    let directory = tempfile::tempdir().unwrap();
    let receiver = Server::start(listen(directory.path())).await;
    let to = format!("{}/webhooks/twitter", receiver.url);
    let (mut keys, mut ids) = (BTreeSet::new(), BTreeSet::new());
    let all = [KINDS.as_slice(), &ACTIVITY_KINDS, &[FILTERED_STREAM]].concat();
    for kind in all.iter().copied() {
        let args = [kind, "--user", "7", "--count", "3", "--json", "--to", &to];
        let done = trigger(directory.path(), &args).await;
        assert_eq!(done.code, 0, "{kind}: {}", done.stderr);
        assert_eq!(
            timeless(&done.stderr),
            "3 events in TIME : 3 answered 200, 0 refused, 0 without an answer\n"
        );
        let made = objects(&done);
        for event in &made {
            // A filtered stream does not say what it is.
            let told = if kind == FILTERED_STREAM { "unknown" } else { kind };
            assert_eq!((&event["kind"], &event["status"]), (&told.into(), &200.into()));
            let named = kind.ends_with("_events");
            let user = if named { Value::from("7") } else { Value::Null };
            assert_eq!(event["for_user_id"], user);
            assert_eq!(event.as_object().unwrap().len(), 5, "{event}");
        }
        keys.append(&mut texts(&made, "key"));
        ids.append(&mut texts(&made, "id"));
    }
    assert_eq!((keys.len(), ids.len()), (3 * all.len(), 3 * all.len()));
    assert_eq!(texts(&stored(directory.path()).await, "key"), keys);

    // Members that differ, an unknown kind, and words for people.
    let args = [
        "tweet_create_events",
        "--user",
        "8",
        "--payload",
        r#"{"id_str":"21","user":{"name":"Ann"},"text":"no"}"#,
        "--field",
        r#"text="hello""#,
        "--to",
        &to,
    ];
    let done = trigger(directory.path(), &args).await;
    assert_eq!((done.code, done.stdout.as_str()), (0, "8/tweet_create_events:21  200 OK\n"));
    let args = ["new_events", "--user", "8", "--payload", "[1]", "--to", &to, "--context", "a=2"];
    assert_eq!(trigger(directory.path(), &args).await.code, 0);
    let wrong = ["follow_events", "--user", "8", "--context", "for_user_id=2", "--to", &to];
    assert_eq!(trigger(directory.path(), &wrong).await.code, 2);
    let stored = stored(directory.path()).await;
    let [post, new] = &stored[stored.len() - 2..] else { panic!("not stored") };
    assert_eq!(
        (&post["payload"]["text"], &post["payload"]["user"]["name"]),
        (&"hello".into(), &"Ann".into())
    );
    assert_eq!(post["payload"]["user"]["screen_name"], "user8");
    assert_eq!(new["payload"], serde_json::json!([1]));
    assert_eq!(new["context"], serde_json::json!({"a": 2}));
    assert_eq!(receiver.end().await, 0);
}

#[tokio::test]
async fn events_are_sent_at_a_pace() {
    let directory = tempfile::tempdir().unwrap();
    let receiver = Server::start(listen(directory.path())).await;
    let to = format!("{}/webhooks/twitter", receiver.url);
    let args = ["follow_events", "--user", "7", "--count", "5", "--rate", "10", "--to", &to];
    let done = trigger(directory.path(), &args).await;
    assert_eq!(done.code, 0, "{}", done.stderr);
    let (_, took) = done.stderr.split_once("5 events in ").unwrap();
    let took: f64 = took.split_once(" s").unwrap().0.parse().unwrap();
    assert!(took >= 0.4, "{took}");

    // As fast as possible, and by two at once: none is the same as another.
    let args = ["follow_events", "--user", "7", "--count", "150", "--to", &to];
    let both = tokio::join!(trigger(directory.path(), &args), trigger(directory.path(), &args));
    assert_eq!((both.0.code, both.1.code), (0, 0));
    assert_eq!(texts(&stored(directory.path()).await, "key").len(), 305);
    assert_eq!(receiver.end().await, 0);
}

#[tokio::test]
async fn whoever_is_interrupted_says_what_was_done() {
    let directory = tempfile::tempdir().unwrap();
    let receiver = Server::start(listen(directory.path())).await;
    let to = format!("{}/webhooks/twitter", receiver.url);
    let args = ["trigger", "follow_events", "--user", "7", "--count", "9", "--rate", "0.01"];
    let mut command = aaa(directory.path(), &[&args[..], &["--to", &to]].concat());
    command.env("X_CONSUMER_SECRET", SECRET);
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first = timeout(PATIENCE, lines.next_line()).await.expect("nothing is sent");
    assert!(first.unwrap().unwrap().ends_with("  200 OK"));
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap());
    rustix::process::kill_process(pid.unwrap(), rustix::process::Signal::INT).unwrap();
    let output = timeout(PATIENCE, child.wait_with_output()).await.expect("it goes on").unwrap();
    assert_eq!(output.status.code(), Some(1));
    let words = String::from_utf8(output.stderr).unwrap();
    insta::assert_snapshot!(timeless(&words), @"
    1 event in TIME : 1 answered 200, 0 refused, 0 without an answer
    error: interrupted before all had happened
    ");
    assert_eq!(receiver.end().await, 0);
}

/// A server that answers with a status, and leads elsewhere.
async fn answering(status: StatusCode) -> (String, Arc<AtomicUsize>) {
    let followed = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&followed);
    let elsewhere = move || {
        count.fetch_add(1, Ordering::SeqCst);
        async { StatusCode::OK }
    };
    let answer = move || async move { (status, [("location", "/elsewhere")]) };
    let router = Router::new().route("/hook", any(answer)).route("/elsewhere", any(elsewhere));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, router).into_future());
    (url, followed)
}

#[tokio::test]
async fn what_a_receiver_does_not_take() {
    let directory = tempfile::tempdir().unwrap();
    let receiver = Server::start(listen(directory.path())).await;
    let to = format!("{}/webhooks/twitter", receiver.url);
    let like = ["favorite_events", "--user", "7", "--count", "2", "--to"];
    let wrong = [&["trigger", "--consumer-secret", "another"], &like[..], &[to.as_str()]].concat();
    let wrong = run(aaa(directory.path(), &wrong)).await;
    assert_eq!(wrong.code, 5);
    assert_eq!(wrong.stdout.matches("  403 Forbidden\n").count(), 2, "{}", wrong.stdout);
    insta::assert_snapshot!(timeless(&wrong.stderr), @"
    2 events in TIME : 0 answered 200, 2 refused, 0 without an answer
    error: 2 of 2 were refused, the first with 403 Forbidden
    what to do: the receiver must have the consumer secret that is used here, X_CONSUMER_SECRET; `aaa verify` says why a signature is wrong
    ");
    assert_eq!(receiver.end().await, 0);

    for (status, told) in [
        (StatusCode::PERMANENT_REDIRECT, "no redirect, and takes the webhook as broken"),
        (StatusCode::FOUND, "no redirect, and takes the webhook as broken"),
        (StatusCode::NO_CONTENT, "200 as success and nothing else"),
        (StatusCode::SERVICE_UNAVAILABLE, "503 Service Unavailable"),
    ] {
        let (url, followed) = answering(status).await;
        let done = trigger(directory.path(), &[&like[..], &[url.as_str()]].concat()).await;
        assert_eq!(done.code, 5, "{}", done.stderr);
        assert!(done.stderr.contains(told), "{}", done.stderr);
        assert_eq!(followed.load(Ordering::SeqCst), 0);
    }

    let nobody =
        trigger(directory.path(), &[&like[..], &["http://127.0.0.1:1/?token=hush"]].concat()).await;
    assert_eq!((nobody.code, nobody.stdout.as_str()), (4, ""));
    assert!(nobody.stderr.contains("http://127.0.0.1:1/?…: no connection"), "{}", nobody.stderr);
    assert!(!nobody.stderr.contains("hush"), "{}", nobody.stderr);
}

#[tokio::test]
async fn help() {
    let directory = tempfile::tempdir().unwrap();
    let help = trigger(directory.path(), &["--help"]).await;
    assert_eq!(help.code, 0);
    let (before, after) = help.stdout.split_once("Credentials (or").unwrap();
    let after = after.split_once("Examples").unwrap().1;
    insta::assert_snapshot!(format!("{before}Examples{after}"));
}

#[tokio::test]
async fn wrong_use() {
    let directory = tempfile::tempdir().unwrap();
    let to = "http://127.0.0.1:1/";
    let mut all = String::new();
    for args in [
        &["tweets", "--user", "7", "--to", to][..],
        &["tweet_created_events", "--user", "7"],
        &["replay_job_status", "--user", "7"],
        &["follow_events", "--user", "7", "--payload", "[]"],
        &["follow_events", "--user", "7", "--payload", "{\"a\":1}", "--field", "a.b=1"],
        &["follow_events", "--user", "7", "--field", "text=hello"],
        &["follow_events", "--user", "7", "--rate", "0"],
        &["follow_events", "--user", "7", "--count", "0"],
        &["follow_events"],
        &["follow_events", "--user", "7", "--to", to, "--emulator", to],
    ] {
        let done = trigger(directory.path(), args).await;
        assert_eq!((done.code, done.stdout.as_str()), (2, ""), "{args:?}: {}", done.stderr);
        let words = done.stderr.split("\n\n").next().unwrap().trim_end();
        all += &format!("$ aaa trigger {}\n{words}\n", args.join(" "));
    }
    insta::assert_snapshot!(all, @r#"
    $ aaa trigger tweets --user 7 --to http://127.0.0.1:1/
    error: `tweets` is no kind of event that is known here
    what to do: one of tweet_create_events, tweet_delete_events, favorite_events, follow_events, unfollow_events, block_events, unblock_events, mute_events, unmute_events, direct_message_events, direct_message_indicate_typing_events, direct_message_mark_read_events, user_event, replay_job_status; an event type of the X Activity API, such as post.create; filtered_stream; or another name that ends in _events, with --payload
    $ aaa trigger tweet_created_events --user 7
    error: `tweet_created_events` is no kind of event that is known here
    what to do: one of tweet_create_events, tweet_delete_events, favorite_events, follow_events, unfollow_events, block_events, unblock_events, mute_events, unmute_events, direct_message_events, direct_message_indicate_typing_events, direct_message_mark_read_events, user_event, replay_job_status; an event type of the X Activity API, such as post.create; filtered_stream; or another name that ends in _events, with --payload
    $ aaa trigger replay_job_status --user 7
    error: replay_job_status comes at the end of a replay job, and not by itself
    what to do: with --to URL it is made and sent by itself
    $ aaa trigger follow_events --user 7 --payload []
    error: --payload is no JSON object: of follow_events only members can differ
    $ aaa trigger follow_events --user 7 --payload {"a":1} --field a.b=1
    error: --field a.b: what should hold `b` is no object
    $ aaa trigger follow_events --user 7 --field text=hello
    error: invalid value 'text=hello' for '--field <PATH=JSON>': this is not JSON (expected value at line 1 column 1); a text needs quotes, as in '"text"'
    $ aaa trigger follow_events --user 7 --rate 0
    error: invalid value '0' for '--rate <N>': the rate is between 0.001 and 100000 per second
    $ aaa trigger follow_events --user 7 --count 0
    error: invalid value '0' for '--count <N>': 0 is not in 1..18446744073709551615
    $ aaa trigger follow_events
    error: the following required arguments were not provided:
      --user <ID>
    $ aaa trigger follow_events --user 7 --to http://127.0.0.1:1/ --emulator http://127.0.0.1:1/
    error: the argument '--to <URL>' cannot be used with '--emulator <URL>'
    "#);
    let args = ["trigger", "follow_events", "--user", "7", "--to", to];
    let without = run(aaa(directory.path(), &args)).await;
    assert_eq!((without.code, without.stdout.as_str()), (3, ""));
    assert!(without.stderr.contains("X_CONSUMER_SECRET"), "{}", without.stderr);
}

#[tokio::test]
async fn through_the_emulator() {
    let lab = Lab::new().await;
    let directory = lab.directory.path();
    let emulator = lab.emulator.url();
    let happen = async |args: &[&str]| {
        let all = [args, &["--emulator", emulator.as_str()]].concat();
        trigger(directory, &all).await
    };
    let receiver = Server::start(listen(directory)).await;
    let hook = format!("{}/webhooks/twitter", receiver.url);
    let webhook = lab.json(&["webhooks", "create", &hook]).await["id"].clone();

    let alone = happen(&["favorite_events", "--user", "7"]).await;
    assert_eq!((alone.code, alone.stdout.as_str()), (1, ""));
    insta::assert_snapshot!(timeless(&alone.stderr), @"
    0 events in TIME : 0 answered 200, 0 refused, 0 without an answer
    error: nobody was told: no subscribed user is concerned
    what to do: subscribe the user first: `aaa subscriptions add WEBHOOK_ID --user ID`
    ");

    for user in [7, 8] {
        lab.store(user, &credentials::user_token(user).token);
        let add = ["subscriptions", "add", webhook.as_str().unwrap(), "--user", &user.to_string()];
        lab.json(&add).await;
    }
    let done = happen(&["tweet_create_events", "--user", "7", "--count", "40", "--json"]).await;
    assert_eq!(done.code, 0, "{}", done.stderr);
    let made = objects(&done);
    let ledger = lab.emulator.ledger();
    let truth: Vec<Value> =
        ledger.events.iter().map(|event| serde_json::to_value(event).unwrap()).collect();
    for member in ["id", "key"] {
        assert_eq!(texts(&made, member), texts(&truth, member));
    }
    assert!(made.iter().all(|event| event["status"] == 200 && event["for_user_id"] == "7"));
    assert_eq!(texts(&stored(directory).await, "key"), texts(&made, "key"));

    // A message concerns both.
    let to_8 = r#"message_create.target.recipient_id="8""#;
    let both = happen(&["direct_message_events", "--user", "7", "--field", to_8, "--json"]).await;
    assert_eq!(both.code, 0, "{}", both.stderr);
    assert_eq!(texts(&objects(&both), "for_user_id"), ["7".into(), "8".into()].into());
    let refused = happen(&["follow_events", "--user", "10000000"]).await;
    assert_eq!((refused.code, refused.stdout.as_str()), (5, ""));
    assert!(
        refused.stderr.contains("the emulator refused: there is no user 10000000"),
        "{}",
        refused.stderr
    );

    assert_eq!(receiver.end().await, 0);
    let away = happen(&["follow_events", "--user", "7"]).await;
    assert_eq!(away.code, 4, "{}", away.stderr);
    assert!(away.stdout.contains("  no answer: "), "{}", away.stdout);
}

/// Where the other commands find the emulator's API, this one finds the emulator.
#[tokio::test]
async fn the_emulator_is_where_the_api_is() {
    let lab = Lab::new().await;
    let webhook = lab.webhook("a").await;
    lab.json(&["subscriptions", "add", &webhook]).await;
    let event = ["trigger", "follow_events", "--user", "1", "--json"];
    let done = lab.run(&event).await;
    assert_eq!((done.code, objects(&done).len()), (0, 1), "{}", done.stderr);
    let api = lab.emulator.url();
    let mut flagged = lab.command(&[&event[..], &["--api-url", &api]].concat());
    flagged.env("X_API_URL", "http://127.0.0.1:1");
    assert_eq!(lab.finish(flagged).await.code, 0);
    assert_eq!(lab.emulator.ledger().events.len(), 2);
    // What is named goes before, and X itself is asked for no event.
    let elsewhere = ["trigger", "follow_events", "--user", "1", "--emulator", "http://127.0.0.1:1"];
    let (code, words) = lab.fails(&elsewhere).await;
    assert!(code == 4 && words.contains("at http://127.0.0.1:1"), "{words}");
    let help = lab.run(&["trigger", "--help"]).await.stdout;
    assert!(help.contains("else http://127.0.0.1:7878"), "{help}");
}

#[tokio::test]
async fn what_is_no_emulator_and_who_refuses() {
    let lab = Lab::new().await;
    let directory = lab.directory.path();
    let webhook = lab.webhook("a").await;
    lab.json(&["subscriptions", "add", &webhook]).await;
    lab.answer(Answers::Trouble);
    let emulator = lab.emulator.url();
    let refused = ["follow_events", "--user", "1", "--emulator", &emulator];
    let refused = trigger(directory, &refused).await;
    assert_eq!(refused.code, 5);
    assert!(refused.stdout.ends_with("  500 Internal Server Error\n"), "{}", refused.stdout);
    insta::assert_snapshot!(timeless(&refused.stderr), @"
    1 event in TIME : 0 answered 200, 1 refused, 0 without an answer
    error: 1 of 1 were refused, the first with 500 Internal Server Error
    what to do: `aaa listen` says on stderr and in its metrics why it refuses
    ");

    let other = lab.hook("x");
    let other = other.split("/hook").next().unwrap();
    let done = trigger(directory, &["follow_events", "--user", "1", "--emulator", other]).await;
    assert_eq!((done.code, done.stdout.as_str()), (1, ""));
    insta::assert_snapshot!(done.stderr.replace(other, "http://OTHER"), @"
    error: what answers at http://OTHER is no emulator: 500 Internal Server Error
    what to do: start one with `aaa emulate`, or say with --emulator or X_API_URL where it is
    ");
    let nobody = ["follow_events", "--user", "1", "--emulator", "http://127.0.0.1:1"];
    let nobody = trigger(directory, &nobody).await;
    assert_eq!((nobody.code, nobody.stdout.as_str()), (4, ""));
    assert!(nobody.stderr.contains("start one with `aaa emulate`"), "{}", nobody.stderr);
}
