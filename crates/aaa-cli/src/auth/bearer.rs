//! `aaa auth bearer`: the app's own token. It is the one secret that is printed, since printing it
//! is what was asked for.

use serde_json::json;

use crate::{api, cli::BearerArgs, credentials::Credentials, exit::Failure, output};

pub(super) async fn run(args: BearerArgs, credentials: &Credentials) -> Result<(), Failure> {
    let oauth = api::oauth_client(credentials, args.wait)?.oauth();
    if args.invalidate {
        oauth.invalidate_bearer_token(credentials.bearer()?).await?;
        if args.json {
            return output::json(&json!({ "invalidated": true }));
        }
        output::line("the bearer token is invalidated; `aaa auth bearer` gets a new one")?;
        return Ok(());
    }
    let token = oauth.bearer_token().await?;
    if args.json {
        output::json(&json!({ "bearer_token": token.expose() }))
    } else if args.env {
        output::line(format_args!("X_BEARER_TOKEN={}", token.expose())).map(drop)
    } else {
        output::line(token.expose()).map(drop)
    }
}
