//! `aaa verify`: why the signature of a saved delivery is wrong.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use aaa_auth::environment::{Environment, Prefix, Variable};
use aaa_types::ConsumerSecret;
use aaa_webhook::diagnosis::{Candidate, Case, Cause, Diagnosis, diagnose};
use serde::Serialize;

use crate::{
    cli::VerifyArgs,
    credentials::Credentials,
    exit::{Exit, Failure},
    output,
};

/// More than any receiver takes.
const MAX_BODY: u64 = 64 * 1024 * 1024;

pub(crate) async fn run(args: VerifyArgs, credentials: &Credentials) -> Result<(), Failure> {
    let mut all = candidates(credentials.environment(), &Prefix::X);
    // What was forwarded may have been signed anew, and is right for whoever it was sent to.
    let forward = credentials.variable("X_FORWARD_SECRET").and_then(|secret| secret.parse().ok());
    all.extend(forward.map(|secret| Candidate::signing("X_FORWARD_SECRET", secret)));
    for prefix in &args.apps {
        all.extend(candidates(&credentials.app(prefix)?, prefix));
    }
    if args.apps.is_empty() {
        // Without any secret there is nothing to compare with.
        credentials.consumer_secret()?;
    }
    let body = read(&args.body)?;
    let case = Case::new(&body, &args.signature);
    let case = args.content_length.map_or(case, |length| case.with_length(length));
    let diagnosis = diagnose(&case, &all);
    if args.json {
        output::json(&Answer::new(&diagnosis))?;
    } else {
        output::line(words(&diagnosis))?;
    }
    match diagnosis {
        Diagnosis::Right { .. } => Ok(()),
        Diagnosis::Wrong(_) => Err(Exit::Failed.with("the signature is not right")),
    }
}

/// What may be taken for the consumer secret, by the name of its variable.
pub(crate) fn named(found: &Environment) -> Vec<(String, ConsumerSecret)> {
    let previous = found.previous_secret.as_ref().map(|secret| secret.expose());
    let mistaken = mistaken(found, &Prefix::X).into_iter();
    let previous = (Variable::ConsumerSecretPrevious.name(&Prefix::X), previous);
    let all = std::iter::once(previous).chain(mistaken);
    all.filter_map(|(name, value)| Some((name, value?.parse().ok()?))).collect()
}

/// The secrets of one app, those with which X signs first, and what may be in their place.
fn candidates(found: &Environment, prefix: &Prefix) -> Vec<Candidate> {
    let name = |variable: Variable| variable.name(prefix);
    let secrets = [
        (Variable::ConsumerSecret, &found.consumer_secret),
        (Variable::ConsumerSecretPrevious, &found.previous_secret),
    ];
    let signing = secrets
        .into_iter()
        .filter_map(|(variable, secret)| Some(Candidate::signing(name(variable), secret.clone()?)));
    let mistaken = mistaken(found, prefix).into_iter();
    let mistaken = mistaken.filter_map(|(name, value)| Candidate::mistaken(name, value?));
    signing.chain(mistaken).collect()
}

/// The credentials that are no secrets to sign with.
fn mistaken<'a>(found: &'a Environment, prefix: &Prefix) -> [(String, Option<&'a str>); 4] {
    let credentials = &found.credentials;
    let owner = credentials.owner.as_ref();
    [
        (Variable::AccessTokenSecret, owner.map(|owner| owner.secret.expose())),
        (Variable::AccessToken, owner.map(|owner| owner.token.expose())),
        (Variable::BearerToken, credentials.bearer.as_ref().map(|bearer| bearer.expose())),
        (Variable::ConsumerKey, credentials.consumer.as_ref().map(|app| app.key.as_str())),
    ]
    .map(|(variable, value)| (variable.name(prefix), value))
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    let read = if path == Path::new("-") {
        io::stdin().lock().take(MAX_BODY + 1).read_to_end(&mut body)
    } else {
        File::open(path).and_then(|file| file.take(MAX_BODY + 1).read_to_end(&mut body))
    };
    let tried = format!("could not read the body from `{}`", path.display());
    read.map_err(|error| {
        let failure = Exit::Failed.of(&tried, error);
        failure.advise("save the raw bytes of the request's body to a file, and name that")
    })?;
    if body.len() as u64 > MAX_BODY {
        return Err(Exit::Failed.of(&tried, "it is larger than 64 MiB"));
    }
    Ok(body)
}

fn words(diagnosis: &Diagnosis) -> String {
    match diagnosis {
        Diagnosis::Right { secret, not_a_delivery: None } => {
            format!("right: made with {secret}")
        }
        Diagnosis::Right { secret, not_a_delivery: Some(why) } => format!(
            "right: made with {secret}; but a receiver answers 400, since it is no delivery: {why}"
        ),
        Diagnosis::Wrong(causes) => {
            let words = |cause: &Cause| {
                let sure = if cause.is_proved() { "wrong" } else { "maybe" };
                format!("{sure}: {cause}\n  what to do: {}", cause.advice())
            };
            causes.iter().map(words).collect::<Vec<_>>().join("\n")
        }
    }
}

/// The diagnosis in JSON.
#[derive(Debug, Serialize)]
struct Answer<'a> {
    right: bool,
    secret: Option<&'a str>,
    not_a_delivery: Option<&'a str>,
    causes: Vec<CauseAnswer>,
}

#[derive(Debug, Serialize)]
struct CauseAnswer {
    code: &'static str,
    proved: bool,
    what: String,
    what_to_do: String,
}

impl<'a> Answer<'a> {
    fn new(diagnosis: &'a Diagnosis) -> Self {
        match diagnosis {
            Diagnosis::Right { secret, not_a_delivery } => Self {
                right: true,
                secret: Some(secret),
                not_a_delivery: not_a_delivery.as_deref(),
                causes: Vec::new(),
            },
            Diagnosis::Wrong(causes) => Self {
                right: false,
                secret: None,
                not_a_delivery: None,
                causes: causes.iter().map(CauseAnswer::new).collect(),
            },
        }
    }
}

impl CauseAnswer {
    fn new(cause: &Cause) -> Self {
        Self {
            code: cause.code(),
            proved: cause.is_proved(),
            what: cause.to_string(),
            what_to_do: cause.advice(),
        }
    }
}
