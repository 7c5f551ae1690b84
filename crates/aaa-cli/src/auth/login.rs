//! `aaa auth login`: a user permits the app to act for them, and their token is stored.

use std::time::Duration;

use aaa_auth::{
    flow::{Access, Callback, Verifier},
    tokens::{StoredToken, TokenFile, TokenFileError, Tokens},
};
use aaa_types::UserId;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader, stdin},
    time::timeout,
};
use url::Url;

use super::landing::Landing;
use crate::{
    api,
    cli::LoginArgs,
    credentials::Credentials,
    exit::{Exit, Failure},
    output,
};

/// The longest line that is read for a PIN.
const LONGEST_LINE: u64 = 256;

/// Who signed in, in JSON.
#[derive(Serialize)]
struct SignedIn {
    user_id: UserId,
    screen_name: Option<String>,
    tokens: String,
}

pub(super) async fn run(args: LoginArgs, credentials: &Credentials) -> Result<(), Failure> {
    let landing = match &args.callback {
        Some(url) => Some(Landing::bind(url).await?),
        None => None,
    };
    let file = credentials.token_file(&args.store.data_dir);
    let oauth = api::oauth_client(credentials, args.wait)?.oauth();
    let callback = landing.as_ref().map_or(&Callback::OUT_OF_BAND, Landing::callback);
    let request = oauth.request_token(callback).await?;
    // A verifier works once: a token that cannot be stored afterwards would be lost.
    change(&file, |_| ()).await?;
    announce(&oauth.authorize_url(&request), args.json)?;
    let verifier = match landing {
        None => {
            output::note("then type the PIN that X shows:");
            let pin = timeout(args.timeout, read_pin()).await;
            pin.map_err(|_| nobody_came("no PIN came", args.timeout))??
        }
        Some(landing) => {
            let back = timeout(args.timeout, landing.wait(request.clone())).await;
            back.map_err(|_| nobody_came("the user did not come back", args.timeout))??
        }
    };
    let access = oauth.access_token(&request, &verifier).await?;
    let signed_in = store(&file, access).await?;
    if args.json {
        return output::json(&signed_in);
    }
    let SignedIn { user_id, screen_name, tokens } = signed_in;
    let name =
        screen_name.map(|name| format!(" (@{})", output::printable(&name))).unwrap_or_default();
    output::line(format_args!("user {user_id}{name} is signed in; the token is in {tokens}"))?;
    Ok(())
}

/// Tells the user which page to open.
fn announce(page: &Url, json: bool) -> Result<(), Failure> {
    output::note(format_args!("open this page as the user, and give permission:\n{page}"));
    if json {
        output::json(&json!({ "authorize_url": page.as_str() }))?;
    }
    Ok(())
}

/// Reads the PIN from stdin; what cannot be one is asked for again, as long as there is input.
async fn read_pin() -> Result<Verifier, Failure> {
    let mut input = BufReader::new(stdin());
    let mut refused = None;
    loop {
        let mut line = String::new();
        let read = (&mut input).take(LONGEST_LINE).read_line(&mut line).await;
        let read = read.map_err(|error| Exit::Failed.of("could not read the PIN", error))?;
        if read == 0 {
            return Err(match refused {
                Some(error) => Exit::Usage.of("no PIN", error),
                None => Exit::Usage.with("no PIN: the input ended before one came"),
            });
        }
        if line.trim().is_empty() {
            continue;
        }
        match Verifier::from_pin(&line) {
            Ok(pin) => return Ok(pin),
            Err(error) => {
                output::note(error);
                refused = Some(error);
            }
        }
    }
}

fn nobody_came(what: &str, patience: Duration) -> Failure {
    let seconds = patience.as_secs();
    Exit::Failed
        .with(format!("{what} within {seconds} s"))
        .advise("begin again, with --timeout TIME if that was too short")
}

async fn store(file: &TokenFile, access: Access) -> Result<SignedIn, Failure> {
    let user_id = access.user_id.or_else(|| access.token.user_id()).ok_or_else(|| {
        Exit::Failed.with("X handed out a token and did not say whose it is, so it is not stored")
    })?;
    let screen_name = access.screen_name.clone();
    let stored = StoredToken::from_access(access, now());
    change(file, move |tokens| tokens.insert(user_id, stored)).await?;
    Ok(SignedIn { user_id, screen_name, tokens: file.path().display().to_string() })
}

/// Changes the file on a thread for that: it may wait for another process.
async fn change<T: Send + 'static>(
    file: &TokenFile,
    change: impl FnOnce(&mut Tokens) -> T + Send + 'static,
) -> Result<T, Failure> {
    let file = file.clone();
    let failed = |error: TokenFileError| Exit::Failed.of("could not store the token", error);
    match tokio::task::spawn_blocking(move || file.update(change)).await {
        Ok(changed) => changed.map_err(failed),
        Err(error) => Err(Exit::Failed.of("could not store the token", error)),
    }
}

#[expect(clippy::disallowed_methods, reason = "when a token was added is told by the wall clock")]
fn now() -> Timestamp {
    Timestamp::now()
}
