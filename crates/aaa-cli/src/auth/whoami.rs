//! `aaa auth whoami`: which credentials are there, from where, and whether they work. No secret is
//! shown, nor a part of one.

use aaa_auth::environment::Variable;
use aaa_client::{Client, ClientError};
use aaa_types::{UserId, WebhookId};
use serde::Serialize;
use serde_json::json;

use crate::{
    api,
    cli::WhoamiArgs,
    credentials::Credentials,
    exit::{Exit, Failure},
    output,
    table::Table,
};

/// Which credential it is.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Consumer,
    ConsumerSecret,
    PreviousConsumerSecret,
    BearerToken,
    Owner,
    User,
}

impl Kind {
    fn words(self) -> &'static str {
        match self {
            Self::Consumer => "consumer key and secret",
            Self::ConsumerSecret => "consumer secret",
            Self::PreviousConsumerSecret => "previous consumer secret",
            Self::BearerToken => "bearer token",
            Self::Owner => "access token of the owner",
            Self::User => "token of a user",
        }
    }
}

/// What is known of one credential.
#[derive(Debug, Serialize)]
struct Row {
    credential: Kind,
    from: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<UserId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    screen_name: Option<String>,
    /// Absent when nobody asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    works: Option<bool>,
    detail: String,
}

impl Row {
    fn new(credential: Kind, from: String) -> Self {
        let detail = "not checked".to_owned();
        Self { credential, from, user_id: None, screen_name: None, works: None, detail }
    }

    fn of_user(mut self, user: Option<UserId>) -> Self {
        self.user_id = user;
        self
    }

    fn checked(self, checked: &Result<String, ClientError>) -> Self {
        let (works, detail) = match checked {
            Ok(detail) => (Some(true), detail.clone()),
            // Whether a credential is good, an API that cannot be reached does not say.
            Err(error) if error.api().is_none() => (None, error.to_string()),
            Err(error) => (Some(false), error.to_string()),
        };
        Self { works, detail, ..self }
    }
}

pub(super) async fn run(args: WhoamiArgs, credentials: &Credentials) -> Result<(), Failure> {
    let client = api::client(credentials, args.api)?;
    let mut found = Findings::default();
    let working = output::Working::begin("asking X");
    found.app(&client, credentials).await;
    working.end();
    let file = credentials.token_file(&args.store.data_dir);
    let tokens = file.read().map_err(|error| Exit::Credentials.of("users' tokens", error))?;
    for (user, stored) in tokens.iter() {
        let row = Row::new(Kind::User, file.path().display().to_string());
        let screen_name = stored.screen_name.clone();
        found.rows.push(Row { screen_name, ..row.of_user(Some(user)) });
    }
    let Findings { rows, errors } = found;
    print(&client, &rows, args.api.json)?;
    match errors.into_iter().next() {
        Some(error) => Err(error.into()),
        None if rows.is_empty() => Err(Exit::Credentials.with("there are no credentials").advise(
            "set X_CONSUMER_KEY and the others in the environment or in .env, see `aaa --help`; \
             `aaa emulate --print-env` prints the emulator's",
        )),
        None => Ok(()),
    }
}

/// What was found, and what does not work of it.
#[derive(Default)]
struct Findings {
    rows: Vec<Row>,
    errors: Vec<ClientError>,
}

impl Findings {
    /// Looks at the app's own credentials.
    async fn app(&mut self, client: &Client, credentials: &Credentials) {
        let found = client.credentials();
        if found.consumer.is_some() {
            let variables = [Variable::ConsumerKey, Variable::ConsumerSecret];
            let row = Row::new(Kind::Consumer, credentials.sources(&variables));
            // X hands out the same token each time, so asking for it changes nothing.
            let checked = client.oauth().bearer_token().await;
            self.add(row, checked.map(|_| "works".to_owned()));
        } else if credentials.consumer_secret().is_ok() {
            let from = credentials.sources(&[Variable::ConsumerSecret]);
            self.rows.push(Row::new(Kind::ConsumerSecret, from));
        }
        if credentials.previous_secret().is_some() {
            let from = credentials.sources(&[Variable::ConsumerSecretPrevious]);
            self.rows.push(Row::new(Kind::PreviousConsumerSecret, from));
        }
        let mut webhook = None;
        if found.bearer.is_some() {
            let row = Row::new(Kind::BearerToken, credentials.sources(&[Variable::BearerToken]));
            let listed = client.app().list_webhooks().await;
            webhook = listed.as_ref().ok().and_then(|list| Some(list.first()?.id));
            self.add(row, listed.map(|list| works_for(list.len())));
        }
        if let Some(owner) = &found.owner {
            let variables = [Variable::AccessToken, Variable::AccessTokenSecret];
            let row =
                Row::new(Kind::Owner, credentials.sources(&variables)).of_user(owner.user_id());
            match webhook {
                Some(webhook) if found.consumer.is_some() => {
                    let checked = subscription(client, owner.clone().into(), webhook).await;
                    self.add(row, checked);
                }
                _ => {
                    let why = "not checked: that takes a webhook, and the consumer key and secret";
                    self.rows.push(Row { detail: why.to_owned(), ..row });
                }
            }
        }
    }

    fn add(&mut self, row: Row, checked: Result<String, ClientError>) {
        self.rows.push(row.checked(&checked));
        self.errors.extend(checked.err());
    }
}

fn works_for(webhooks: usize) -> String {
    match webhooks {
        1 => "works; the app has 1 webhook".to_owned(),
        count => format!("works; the app has {count} webhooks"),
    }
}

/// Asks for a user's subscription: a signed question that changes nothing.
async fn subscription(
    client: &Client,
    credential: aaa_auth::UserCredential,
    webhook: WebhookId,
) -> Result<String, ClientError> {
    let state = client.user(credential).check_subscription(webhook).await?;
    let not = if state.subscribed { "" } else { "not " };
    Ok(format!("works; {not}subscribed to webhook {webhook}"))
}

fn print(client: &Client, rows: &[Row], json: bool) -> Result<(), Failure> {
    let api = client.api_url();
    if json {
        let version = client.version().to_string();
        let value = json!({ "api_url": api.to_string(), "api": version, "credentials": rows });
        return output::json(&value);
    }
    output::note(format_args!("the API is {api}"));
    let mut table = Table::new(["CREDENTIAL", "FROM", "USER", "STATE"]);
    for row in rows {
        let user = row.user_id.map(|id| id.to_string());
        let name = row.screen_name.as_ref().map(|name| format!(" @{name}"));
        table.row([
            row.credential.words().to_owned(),
            row.from.clone(),
            user.unwrap_or_else(|| "-".to_owned()) + &name.unwrap_or_default(),
            row.detail.clone(),
        ]);
    }
    table.print()
}
