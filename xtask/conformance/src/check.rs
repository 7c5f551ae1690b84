//! Judges one request or one answer.

use bytes::Bytes;
use http::{HeaderMap, Request, Response, header};
use serde_json::Value;

use crate::spec::{Operation, Parameter, Place};

/// How answers that are no success are judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Errors {
    /// They are JSON objects of a content type that is described, and no more: X describes its
    /// errors as a closed list that excludes some of those it sends.
    Loose,
    /// By their schema.
    Strict,
}

/// Says what is wrong with a request.
pub(crate) fn request(
    operation: &Operation,
    values: &[String],
    request: &Request<Bytes>,
) -> Vec<String> {
    let mut problems = Vec::new();
    let of = |place| operation.parameters.iter().filter(move |p| p.place == place);
    // The path has a value for each, in the order of the path.
    for (parameter, value) in in_order(operation, of(Place::Path)).zip(values) {
        problems.extend(judge_parameter(parameter, value));
    }
    let query = request.uri().query().unwrap_or_default();
    let pairs: Vec<_> = url::form_urlencoded::parse(query.as_bytes()).collect();
    for parameter in of(Place::Query) {
        let mut values = pairs.iter().filter(|(name, _)| *name == parameter.name);
        match (values.next(), values.next()) {
            (Some((_, value)), None) => problems.extend(judge_parameter(parameter, value)),
            (Some(_), Some(_)) => problems.push(format!("`{}` comes twice", parameter.name)),
            (None, _) if parameter.required => {
                problems.push(format!("`{}` is missing from the query", parameter.name));
            }
            (None, _) => {}
        }
    }
    for (name, _) in &pairs {
        if !of(Place::Query).any(|parameter| parameter.name == *name) {
            problems.push(format!("`{name}` is not described as a part of the query"));
        }
    }
    problems.extend(judge_body(operation, request));
    problems.extend(judge_scheme(operation, request.headers()));
    problems
}

/// Says what is wrong with an answer.
pub(crate) fn answer(
    operation: &Operation,
    response: &Response<Bytes>,
    errors: Errors,
) -> Vec<String> {
    let status = response.status();
    let by_status = |status| operation.answers.iter().find(|answer| answer.status == status);
    let Some(answer) = by_status(Some(status.as_u16())).or_else(|| by_status(None)) else {
        return vec![format!("the status {status} is not described")];
    };
    if status.is_success() && answer.status.is_none() {
        return vec![format!("the success {status} is not described")];
    }
    let body = response.body();
    if answer.contents.is_empty() {
        return match body.len() {
            0 => Vec::new(),
            length => vec![format!("{length} bytes where no body is described")],
        };
    }
    let content_type = content_type(response.headers());
    let schema = answer.contents.iter().find(|(name, _)| *name == content_type);
    let Some((_, schema)) = schema else {
        return vec![format!("the content type `{content_type}` is not described for {status}")];
    };
    match serde_json::from_slice::<Value>(body) {
        Err(error) => vec![format!("the body is not JSON: {error}")],
        Ok(value) if status.is_success() || errors == Errors::Strict => schema.judge_closed(&value),
        Ok(Value::Object(_)) => Vec::new(),
        Ok(_) => vec!["the body of an error is no object".to_owned()],
    }
}

fn judge_parameter(parameter: &Parameter, value: &str) -> Vec<String> {
    let value = if parameter.is_list {
        value.split(',').map(Value::from).collect()
    } else {
        Value::from(value)
    };
    let problems = parameter.schema.judge(&value).into_iter();
    problems.map(|problem| format!("parameter `{}`: {problem}", parameter.name)).collect()
}

fn judge_body(operation: &Operation, request: &Request<Bytes>) -> Vec<String> {
    match (&operation.body, request.body().as_ref()) {
        (None, b"") => Vec::new(),
        (None, _) => vec!["a body is sent where none is described".to_owned()],
        (Some(body), b"") if body.required => vec!["the body is missing".to_owned()],
        (Some(_), b"") => Vec::new(),
        (Some(body), bytes) => {
            if content_type(request.headers()) != "application/json" {
                return vec!["the body is not announced as `application/json`".to_owned()];
            }
            match serde_json::from_slice(bytes) {
                // What is sent is known beforehand, so it can be held to the letter.
                Ok(value) => body.schema.judge_closed(&value),
                Err(error) => vec![format!("the body is not JSON: {error}")],
            }
        }
    }
}

fn judge_scheme(operation: &Operation, headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let scheme = value.split_whitespace().next().unwrap_or_default();
    let is_described = operation.schemes.contains(&scheme);
    (!is_described).then(|| {
        format!("`Authorization: {scheme} …`, and only {:?} is described", operation.schemes)
    })
}

fn content_type(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let name = value.unwrap_or_default().split(';').next().unwrap_or_default();
    name.trim().to_ascii_lowercase()
}

/// Sorts the parameters of a path as the path has them.
fn in_order<'a>(
    operation: &Operation,
    parameters: impl Iterator<Item = &'a Parameter>,
) -> impl Iterator<Item = &'a Parameter> {
    let mut parameters: Vec<_> = parameters.collect();
    parameters.sort_by_key(|parameter| operation.path.find(&format!("{{{}}}", parameter.name)));
    parameters.into_iter()
}

#[cfg(test)]
mod tests;
