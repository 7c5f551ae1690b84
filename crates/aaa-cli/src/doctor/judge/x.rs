//! What X said.

use super::super::{
    report::{Check, Finding},
    x::{Owner, Refusal, Told},
};

/// The only level at which everything is delivered, direct messages included.
const ENOUGH: &str = "read-write-directmessages";

pub(in super::super) fn findings(told: &Told, url: &str) -> Vec<Finding> {
    let mut findings = vec![secret(told.has_secret)];
    findings.push(match &told.webhooks {
        None => Finding::warning(
            Check::BearerToken,
            "X_BEARER_TOKEN is not set: neither webhooks nor subscriptions could be looked at, and \
             what a receiver misses stays missed",
            "`aaa auth bearer --env >> .env` gets one",
        ),
        Some(Ok(list)) => {
            let webhooks = if list.len() == 1 { "webhook" } else { "webhooks" };
            Finding::ok(Check::BearerToken, format!("works; the app has {} {webhooks}", list.len()))
        }
        Some(Err(refusal)) => refused(
            Check::BearerToken,
            refusal,
            "see that X_BEARER_TOKEN is this app's, and that X has enabled the product for it; \
             `aaa auth whoami` looks at each credential",
        ),
    });
    findings.push(owner(&told.owner));
    findings.extend(told.access_level.as_deref().map(permission));
    if let Some(Ok(_)) = &told.webhooks {
        findings.extend(webhook(told, url));
    }
    findings
}

fn secret(is_set: bool) -> Finding {
    if is_set {
        return Finding::ok(Check::ConsumerSecret, "set");
    }
    Finding::warning(
        Check::ConsumerSecret,
        "X_CONSUMER_SECRET is not set: neither challenges nor signatures could be judged",
        "set it here to the same as at the receiver: the API secret key of your app",
    )
}

fn owner(owner: &Owner) -> Finding {
    match owner {
        Owner::Works => Finding::ok(Check::AccessToken, "works"),
        Owner::Missing => Finding::warning(
            Check::AccessToken,
            "X_ACCESS_TOKEN and X_ACCESS_TOKEN_SECRET are not set: the owner of the app cannot be \
             subscribed",
            "set them, or use only tokens that `aaa auth login` has stored",
        ),
        Owner::NotAsked => Finding::warning(
            Check::AccessToken,
            "not checked: that takes a registered webhook, a bearer token, and the consumer key and \
             secret",
            "`aaa webhooks ensure URL` registers one",
        ),
        Owner::Refused(refusal) => refused(
            Check::AccessToken,
            refusal,
            "regenerate the token after each change of the app's permissions, and see that it is of \
             the same app as X_CONSUMER_KEY",
        ),
    }
}

fn permission(level: &str) -> Finding {
    if level == ENOUGH {
        return Finding::ok(Check::Permission, level);
    }
    Finding::wrong(
        Check::Permission,
        format!("{level}: direct messages are not delivered, and subscribing may be refused"),
        "give the app \"Read, Write, and Direct Messages\" in its settings, and regenerate the \
         tokens: they keep the level at which they were made",
    )
}

fn webhook(told: &Told, url: &str) -> Vec<Finding> {
    let Some(webhook) = &told.webhook else {
        return vec![Finding::warning(
            Check::Webhook,
            "no webhook of this app has this URL, so nothing is delivered",
            format!("`aaa webhooks ensure {url}` registers it"),
        )];
    };
    let id = webhook.id;
    let mut findings = vec![if webhook.valid {
        Finding::ok(Check::Webhook, format!("{id} is registered and valid"))
    } else {
        Finding::wrong(
            Check::Webhook,
            format!("{id} is registered and not valid: it receives nothing"),
            format!("mend what is wrong above, then `aaa webhooks validate {id}`"),
        )
    }];
    findings.push(match &told.subscribed {
        Some(Ok(0)) => Finding::warning(
            Check::Subscriptions,
            "nobody is subscribed, so nothing is delivered",
            format!("`aaa subscriptions add {id}` subscribes the owner, with --user another one"),
        ),
        Some(Ok(1)) => Finding::ok(Check::Subscriptions, "one user is subscribed"),
        Some(Ok(users)) => {
            Finding::ok(Check::Subscriptions, format!("{users} users are subscribed"))
        }
        Some(Err(refusal)) => {
            refused(Check::Subscriptions, refusal, "`aaa subscriptions list ID` asks again")
        }
        None => return findings,
    });
    findings
}

fn refused(check: Check, refusal: &Refusal, otherwise: &str) -> Finding {
    let fix = match (&refusal.advice, refusal.answered) {
        (Some(advice), _) => advice.clone(),
        (None, true) => otherwise.to_owned(),
        (None, false) => {
            "see that X_API_URL is right and the API can be reached from here; for the emulator: \
             `aaa emulate`"
                .to_owned()
        }
    };
    Finding::wrong(check, &refusal.words, fix)
}

#[cfg(test)]
mod tests {
    use aaa_types::api::Webhook;

    use super::*;

    const URL: &str = "https://example.com/hook";

    fn told(told: &Told) -> String {
        let lines = findings(told, URL);
        lines.iter().map(Finding::line).collect::<Vec<_>>().join("\n")
    }

    fn hook(valid: bool) -> Webhook {
        Webhook { id: "12".parse().unwrap(), url: URL.parse().unwrap(), valid, created_at: None }
    }

    fn refusal(answered: bool) -> Refusal {
        Refusal { words: "could not ask: its words".to_owned(), advice: None, answered }
    }

    #[test]
    fn everything_is_there() {
        let all = Told {
            has_secret: true,
            webhooks: Some(Ok(vec![hook(true)])),
            webhook: Some(hook(true)),
            subscribed: Some(Ok(2)),
            owner: Owner::Works,
            access_level: Some(ENOUGH.to_owned()),
            clock_offset: None,
        };
        insta::assert_snapshot!(told(&all), @"
        ok consumer secret: set
        ok bearer token: works; the app has 1 webhook
        ok access token: works
        ok permission: read-write-directmessages
        ok webhook: 12 is registered and valid
        ok subscriptions: 2 users are subscribed
        ");
    }

    #[test]
    fn nothing_is_there() {
        insta::assert_snapshot!(told(&Told::default()), @"
        warning consumer secret: X_CONSUMER_SECRET is not set: neither challenges nor signatures could be judged | set it here to the same as at the receiver: the API secret key of your app
        warning bearer token: X_BEARER_TOKEN is not set: neither webhooks nor subscriptions could be looked at, and what a receiver misses stays missed | `aaa auth bearer --env >> .env` gets one
        warning access token: X_ACCESS_TOKEN and X_ACCESS_TOKEN_SECRET are not set: the owner of the app cannot be subscribed | set them, or use only tokens that `aaa auth login` has stored
        ");
    }

    #[test]
    fn what_is_wrong() {
        let broken = Told {
            has_secret: true,
            webhooks: Some(Ok(vec![hook(false)])),
            webhook: Some(hook(false)),
            subscribed: Some(Ok(0)),
            owner: Owner::Refused(refusal(true)),
            access_level: Some("read".to_owned()),
            clock_offset: None,
        };
        let away =
            Told { webhooks: Some(Err(refusal(false))), owner: Owner::NotAsked, ..Told::default() };
        let elsewhere = Told { webhooks: Some(Ok(Vec::new())), ..Told::default() };
        let all = [broken, away, elsewhere].map(|one| told(&one));
        insta::assert_snapshot!(all.join("\n\n"), @r#"
        ok consumer secret: set
        ok bearer token: works; the app has 1 webhook
        wrong access token: could not ask: its words | regenerate the token after each change of the app's permissions, and see that it is of the same app as X_CONSUMER_KEY
        wrong permission: read: direct messages are not delivered, and subscribing may be refused | give the app "Read, Write, and Direct Messages" in its settings, and regenerate the tokens: they keep the level at which they were made
        wrong webhook: 12 is registered and not valid: it receives nothing | mend what is wrong above, then `aaa webhooks validate 12`
        warning subscriptions: nobody is subscribed, so nothing is delivered | `aaa subscriptions add 12` subscribes the owner, with --user another one

        warning consumer secret: X_CONSUMER_SECRET is not set: neither challenges nor signatures could be judged | set it here to the same as at the receiver: the API secret key of your app
        wrong bearer token: could not ask: its words | see that X_API_URL is right and the API can be reached from here; for the emulator: `aaa emulate`
        warning access token: not checked: that takes a registered webhook, a bearer token, and the consumer key and secret | `aaa webhooks ensure URL` registers one

        warning consumer secret: X_CONSUMER_SECRET is not set: neither challenges nor signatures could be judged | set it here to the same as at the receiver: the API secret key of your app
        ok bearer token: works; the app has 0 webhooks
        warning access token: X_ACCESS_TOKEN and X_ACCESS_TOKEN_SECRET are not set: the owner of the app cannot be subscribed | set them, or use only tokens that `aaa auth login` has stored
        warning webhook: no webhook of this app has this URL, so nothing is delivered | `aaa webhooks ensure https://example.com/hook` registers it
        "#);
    }
}
