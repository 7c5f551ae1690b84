//! What the receiver answers, and what became of the question on its way.

mod answer;

use std::time::Duration;

use http::header::{CONTENT_ENCODING, CONTENT_TYPE, LOCATION};

use self::answer::{Made, made};
use super::{
    super::{
        probe::{Answer, Challenge, DEADLINE, Deliveries, Outcome, Unanswered},
        report::{Check, Finding},
    },
    Secrets, data,
};

/// Under load it will be slower than now.
const SLOW: Duration = Duration::from_secs(1);

const THE_SECRET: &str = "give the receiver the consumer secret of this app (API secret key) in \
                          X_CONSUMER_SECRET, or set the one here that the receiver has";

const KEEP_THE_QUERY: &str = "have the proxy pass the query on as it is: in nginx `proxy_pass \
                              http://receiver;` without a path of its own, and no `rewrite` that \
                              ends in `?`";

/// Judges how challenges are answered.
pub(in super::super) fn challenge(asked: &Challenge, secrets: &Secrets) -> Vec<Finding> {
    let check = match &asked.check {
        Ok(answer) => answer,
        Err(why) => return vec![unanswered(why)],
    };
    if check.status.is_redirection() {
        return vec![redirect(check)];
    }
    let mut findings = vec![Finding::ok(Check::Redirect, "none")];
    findings.extend(answered(asked, check, secrets));
    findings.extend(latency(asked, check));
    findings.extend(compression(asked, check));
    findings.extend(data::receiver_clock(check));
    findings
}

fn unanswered(why: &Unanswered) -> Finding {
    if why.timed_out {
        return Finding::wrong(
            Check::Latency,
            "no answer within 10 s: X has given up by then",
            "see that the receiver runs and that the way to it is awake: a challenge needs neither \
             a store nor a call of anybody",
        );
    }
    Finding::wrong(
        Check::Challenge,
        why.words.clone(),
        "see that an HTTP server listens there, and what its log says",
    )
}

fn redirect(check: &Answer) -> Finding {
    let to = check.header(LOCATION).unwrap_or("somewhere else");
    Finding::wrong(
        Check::Redirect,
        format!("status {} to {to}: X follows none, and takes the webhook as broken", code(check)),
        "register the URL that answers by itself (mind a `/` at its end, `www.` and `https`), or \
         have the proxy answer this one without a redirect",
    )
}

/// Says whether the right answer came, and if not, why.
fn answered(asked: &Challenge, check: &Answer, secrets: &Secrets) -> Vec<Finding> {
    let made_by = |answer: &Answer| made(answer, asked, secrets);
    let unsigned = asked.unsigned.as_ref().and_then(|outcome| outcome.as_ref().ok());
    match made_by(check) {
        Made::Right => {
            let right = Finding::ok(Check::Challenge, "answered with the right token");
            let query = Finding::ok(Check::Query, "arrives");
            let is_json = check.header(CONTENT_TYPE).is_some_and(is_json);
            let typed = (!is_json).then(|| {
                Finding::warning(
                    Check::Challenge,
                    "the answer is not announced as `application/json`",
                    "answer with `content-type: application/json`, as X's pages want it",
                )
            });
            return [Some(right), typed, Some(query)].into_iter().flatten().collect();
        }
        // Without the secret nobody knows whether the token is the right one.
        Made::Unknown if secrets.active().is_none() => {
            return vec![Finding::warning(
                Check::Challenge,
                "answered; whether with the right token could not be told",
                "set X_CONSUMER_SECRET",
            )];
        }
        Made::NoToken | Made::Refused => {}
        wrong => return vec![wrong_token(&wrong)],
    }
    // No token came. The same question in other ways tells why.
    match unsigned.map(made_by) {
        Some(Made::Right) => vec![Finding::wrong(
            Check::Query,
            format!(
                "a check with a signature of its query is answered {}, the same without one is \
                 answered rightly: the query or the header changes on the way",
                code(check)
            ),
            KEEP_THE_QUERY,
        )],
        Some(wrong @ (Made::Mistaken(_) | Made::Unknown)) => vec![wrong_token(&wrong)],
        Some(Made::OfNothing | Made::Decoded | Made::Encoded) | None => vec![refused(check)],
        Some(Made::NoToken | Made::Refused) => {
            let bare = asked.bare.as_ref().and_then(|outcome| outcome.as_ref().ok());
            let is_lost = unsigned
                .zip(bare)
                .is_some_and(|(unsigned, bare)| unsigned.says_as(bare) && unsigned.status == 400);
            if is_lost {
                vec![Finding::wrong(
                    Check::Query,
                    "a challenge is answered like a request without a query (status 400): the \
                     query is lost on the way",
                    KEEP_THE_QUERY,
                )]
            } else {
                vec![refused(check)]
            }
        }
    }
}

fn wrong_token(made: &Made<'_>) -> Finding {
    let wrong = |found: String| Finding::wrong(Check::Challenge, found, THE_SECRET);
    match made {
        Made::Mistaken(name) => wrong(format!(
            "answered with a token made with {name}, not with the consumer secret: X takes the \
             webhook as broken at once"
        )),
        Made::OfNothing => Finding::wrong(
            Check::Query,
            "answered with the token of an empty text: the query is lost on the way",
            KEEP_THE_QUERY,
        ),
        Made::Decoded => Finding::wrong(
            Check::Query,
            "answered with the token of a text in which `+` became a space: the query is decoded \
             twice",
            KEEP_THE_QUERY,
        ),
        Made::Encoded => Finding::wrong(
            Check::Challenge,
            "answered with the token of the percent-encoded text",
            "decode the value of `crc_token` before it is signed",
        ),
        _ => wrong(
            "answered with a token made with another secret: X takes the webhook as broken at once"
                .to_owned(),
        ),
    }
}

fn refused(check: &Answer) -> Finding {
    let status = code(check);
    let (found, fix) = match status {
        200 => (
            "answered 200 without a `response_token`: X takes the webhook as broken at once"
                .to_owned(),
            "see that the path is the webhook's and that no page for people is in the way",
        ),
        400 => (
            format!("refused with {status}"),
            "see what the receiver's log says, and that the query arrives as it was sent",
        ),
        401 | 403 => (
            format!(
                "refused with {status}: signed with another secret, or from a network that is \
                     not allowed"
            ),
            THE_SECRET,
        ),
        404 | 405 => (
            format!("refused with {status}"),
            "see that the path is that of `aaa listen --path`, by default /webhooks/twitter, and \
             that the proxy lets GET and POST through",
        ),
        500..=599 => (
            format!("refused with {status}"),
            "see that the receiver runs behind the proxy, and what its log says; several apps that \
             share a path need a path each",
        ),
        _ => (
            format!("answered {status}: X wants 200"),
            "see what stands between X and the receiver",
        ),
    };
    Finding::wrong(Check::Challenge, found, fix)
}

fn latency(asked: &Challenge, check: &Answer) -> Vec<Finding> {
    if check.status.is_server_error() {
        return Vec::new();
    }
    let again = asked.again.as_ref().and_then(|outcome| outcome.as_ref().ok());
    let ms = |time: Duration| time.as_secs_f64() * 1000.0;
    let found = match again {
        Some(again) => format!("{:.0} ms, then {:.0} ms", ms(check.took), ms(again.took)),
        None => format!("{:.0} ms", ms(check.took)),
    };
    let fix = "answer challenges before anything that may be slow: no cold start, no store, no call \
               of anybody; keep the tunnel or the function warm";
    let longest = again.map_or(check.took, |again| again.took.max(check.took));
    vec![if longest >= DEADLINE {
        Finding::wrong(
            Check::Latency,
            format!("{found}: X gives up after 3 s (v1.1) or 10 s (v2)"),
            fix,
        )
    } else if longest >= SLOW {
        Finding::warning(
            Check::Latency,
            format!("{found}, of the 3 s (v1.1) or 10 s (v2) that X waits"),
            fix,
        )
    } else {
        Finding::ok(Check::Latency, found)
    }]
}

fn compression(asked: &Challenge, check: &Answer) -> Option<Finding> {
    let encoding = |answer: &Answer| {
        let encoding = answer.header(CONTENT_ENCODING)?;
        (!encoding.eq_ignore_ascii_case("identity")).then(|| encoding.to_owned())
    };
    let fix = "switch compression off for this path (nginx: `gzip off;`)";
    if let Some(encoding) = encoding(check) {
        let found = format!("answers are sent with `content-encoding: {encoding}`, unasked");
        return Some(Finding::wrong(Check::Compression, found, fix));
    }
    let unsigned = asked.unsigned.as_ref()?.as_ref().ok()?;
    Some(match encoding(unsigned) {
        Some(encoding) => Finding::warning(
            Check::Compression,
            format!(
                "a client that takes it gets `content-encoding: {encoding}`, which X may take as \
                 broken"
            ),
            fix,
        ),
        None => Finding::ok(Check::Compression, "none"),
    })
}

/// Judges what became of the posts.
pub(in super::super) fn deliveries(
    posted: &Deliveries,
    asked: &Challenge,
    secrets: &Secrets,
) -> Vec<Finding> {
    let mut findings = vec![forgery(posted)];
    let is_right = asked.check.as_ref().is_ok_and(|a| made(a, asked, secrets) == Made::Right);
    let unsigned = asked.unsigned.as_ref().and_then(|outcome| outcome.as_ref().ok());
    let is_right = is_right || unsigned.is_some_and(|a| made(a, asked, secrets) == Made::Right);
    // With another secret every body looks as if it had changed, and who takes everything says
    // nothing about it.
    let verifies = posted.forged.as_ref().is_ok_and(|forged| !forged.status.is_success());
    if let (Some((trap, plain)), true) = (&posted.signed, is_right && verifies) {
        findings.push(match unsigned {
            Some(unsigned) if is_elsewhere(unsigned, trap) => elsewhere(),
            _ => arrival(trap, plain, posted),
        });
    }
    findings
}

/// Says whether a signed post is refused in the words in which an unsigned challenge is: then for
/// where it comes from, since the receiver has judged neither body nor signature.
fn is_elsewhere(unsigned: &Answer, trap: &Outcome) -> bool {
    unsigned.status == 403 && trap.as_ref().is_ok_and(|trap| trap.says_as(unsigned))
}

fn elsewhere() -> Finding {
    Finding::warning(
        Check::Body,
        "posts from this machine are refused (403) as an unsigned challenge is, for where they come \
         from: what becomes of a body on its way could not be told",
        "nothing, if `aaa listen --allow-from` leaves this machine out on purpose; to have bodies \
         looked at, name its address there too for as long as that takes",
    )
}

/// Judges what is answered to whoever cannot sign.
fn forgery(posted: &Deliveries) -> Finding {
    let taken = [("with a wrong signature", &posted.forged), ("without one", &posted.missing)];
    for (how, outcome) in taken {
        if let Ok(answer) = outcome
            && answer.status.is_success()
        {
            return Finding::wrong(
                Check::Forgery,
                format!("a body {how} is answered {}: anybody can send events", code(answer)),
                "verify the signature over the raw body before anything else, and answer 401 or 403",
            );
        }
    }
    match (&posted.forged, &posted.missing) {
        (Ok(forged), Ok(missing)) => {
            let found = format!(
                "refused: {} for a wrong signature, {} for none",
                code(forged),
                code(missing)
            );
            if forged.status.is_client_error() && missing.status.is_client_error() {
                Finding::ok(Check::Forgery, found)
            } else {
                Finding::warning(
                    Check::Forgery,
                    found,
                    "see that POST reaches the receiver, and what its log says",
                )
            }
        }
        (Err(why), _) | (_, Err(why)) => Finding::warning(
            Check::Forgery,
            format!("a post got no answer: {}", why.words),
            "see that POST reaches the receiver, and what its log says",
        ),
    }
}

/// Judges whether what was signed arrived as it was sent: only then does its signature fit, and
/// the receiver says something else than to a forged one.
fn arrival(trap: &Outcome, plain: &Outcome, posted: &Deliveries) -> Finding {
    let (trap, plain) = match (trap, plain) {
        (Ok(trap), Ok(plain)) => (trap, plain),
        (Err(why), _) | (_, Err(why)) => {
            return Finding::wrong(
                Check::Body,
                format!("a signed post got no answer: {}", why.words),
                "see that POST reaches the receiver, and what its log says",
            );
        }
    };
    let (forged, missing) = (posted.forged.as_ref().ok(), posted.missing.as_ref().ok());
    let is_as = |answer: &Answer, other: Option<&Answer>| other.is_some_and(|o| answer.says_as(o));
    let status = code(trap);
    if trap.status.is_redirection() || matches!(status, 404 | 405 | 413 | 500..=599) {
        return Finding::wrong(
            Check::Body,
            format!("a signed post is answered {status}"),
            "see that POST reaches the receiver as GET does: same path, no redirect, bodies of a \
             megabyte let through",
        );
    }
    if !is_as(trap, forged) && !matches!(status, 401 | 403) {
        return Finding::ok(Check::Body, "arrives unchanged, and so does its signature");
    }
    if is_as(trap, missing) && is_as(trap, forged) && is_as(plain, missing) {
        return Finding::wrong(
            Check::Signature,
            format!(
                "a signed body is answered like one without a signature ({status}): the header \
                 x-twitter-webhooks-signature does not arrive"
            ),
            "have the proxy pass all headers on; if this receiver gives one answer to every wrong \
             signature, the body may change on the way too",
        );
    }
    if !is_as(plain, forged) && !matches!(code(plain), 401 | 403) {
        return Finding::wrong(
            Check::Body,
            format!(
                "a signed body is answered {status}, a simple one {}: something reads the JSON and \
                 writes it again",
                code(plain)
            ),
            "verify over the raw bytes as they arrived: in the receiver before a JSON layer has \
             read them, and on the way without anything that rewrites bodies",
        );
    }
    Finding::wrong(
        Check::Body,
        format!("a signed body is answered {status} like a forged one: it changes on the way"),
        "have nothing on the way change bodies (a firewall, a converter of encodings, a function \
         that reads and writes them), and verify over the raw bytes",
    )
}

fn is_json(value: &str) -> bool {
    let mime = value.split(';').next().unwrap_or_default().trim();
    mime.eq_ignore_ascii_case("application/json")
}

fn code(answer: &Answer) -> u16 {
    answer.status.as_u16()
}

#[cfg(test)]
mod tests;
