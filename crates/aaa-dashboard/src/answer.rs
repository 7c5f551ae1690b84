//! The answers to changes: `{"message"}`, and `{"error"}` with what to do about it.

use aaa_client::ClientError;
use aaa_replay::ledger::LedgerError;
use aaa_webhook::{consumer::CursorError, inbox::InboxError};
use axum::{
    extract::Request,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{StatusCode, header};
use serde::{Serialize, de::DeserializeOwned};

/// Something was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Done {
    message: String,
    /// Where to go on.
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<String>,
}

impl Done {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), location: None }
    }

    pub(crate) fn at(mut self, location: impl Into<String>) -> Self {
        self.location = Some(location.into());
        self
    }
}

impl IntoResponse for Done {
    fn into_response(self) -> Response {
        json(StatusCode::OK, &self)
    }
}

/// Something was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    status: StatusCode,
    error: String,
    advice: Option<String>,
}

#[derive(Serialize)]
struct Written<'a> {
    error: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<&'a str>,
}

impl Refused {
    pub(crate) fn new(status: StatusCode, error: impl Into<String>) -> Self {
        Self { status, error: error.into(), advice: None }
    }

    /// What was sent makes no sense.
    pub(crate) fn wrong(error: impl ToString) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string())
    }

    pub(crate) fn missing(error: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, error)
    }

    /// This dashboard was started without what is needed.
    pub(crate) fn not_here(error: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, error)
    }

    pub(crate) fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    pub(crate) fn error(&self) -> &str {
        &self.error
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        json(self.status, &Written { error: &self.error, advice: self.advice.as_deref() })
    }
}

/// X refused, or did not answer.
impl From<ClientError> for Refused {
    fn from(error: ClientError) -> Self {
        let status = match &error {
            ClientError::MissingCredential(_) => StatusCode::CONFLICT,
            ClientError::NotSent { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            error if error.is_timeout() => StatusCode::GATEWAY_TIMEOUT,
            _ => StatusCode::BAD_GATEWAY,
        };
        let refused = Self::new(status, error.to_string());
        match error.advice() {
            Some(advice) => refused.advise(advice),
            None => refused,
        }
    }
}

impl From<LedgerError> for Refused {
    fn from(error: LedgerError) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
    }
}

impl From<CursorError> for Refused {
    fn from(error: CursorError) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
    }
}

impl From<InboxError> for Refused {
    fn from(error: InboxError) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
    }
}

/// Reads the JSON of a change. The guard has seen to its media type.
pub(crate) struct Change<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> axum::extract::FromRequest<S> for Change<T> {
    type Rejection = Refused;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refused> {
        let body = Bytes::from_request(request, state).await;
        let body = body.map_err(|error| Refused::new(error.status(), error.body_text()))?;
        let body: &[u8] = if body.is_empty() { b"{}" } else { &body };
        serde_json::from_slice(body).map(Self).map_err(|error| {
            Refused::new(
                StatusCode::BAD_REQUEST,
                format!("what was sent is not understood: {error}"),
            )
        })
    }
}

pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Response {
    match serde_json::to_vec(value) {
        Ok(body) => (status, [(header::CONTENT_TYPE, "application/json")], body).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_of_answers() {
        let text = |value: &Done| serde_json::to_string(value).unwrap();
        insta::assert_snapshot!(text(&Done::new("done")), @r#"{"message":"done"}"#);
        insta::assert_snapshot!(text(&Done::new("go").at("/x")), @r#"{"message":"go","location":"/x"}"#);
        let written = Written { error: "no", advice: Some("wait") };
        insta::assert_snapshot!(serde_json::to_string(&written).unwrap(), @r#"{"error":"no","advice":"wait"}"#);
    }
}
