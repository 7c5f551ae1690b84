//! A description of an API in the form of `OpenAPI` 3.0, as far as a check needs it.

mod schema;

use http::Method;
use serde_json::{Map, Value};

pub(crate) use self::schema::Schema;

/// The methods an operation can stand under.
const METHODS: [Method; 5] =
    [Method::GET, Method::POST, Method::PUT, Method::DELETE, Method::PATCH];

/// A description.
#[derive(Debug)]
pub(crate) struct Spec {
    /// Its title and version.
    pub(crate) name: String,
    pub(crate) operations: Vec<Operation>,
}

/// One method of one path.
#[derive(Debug)]
pub(crate) struct Operation {
    /// The name it is given, `createWebhooks` for instance.
    pub(crate) id: String,
    pub(crate) method: Method,
    /// The path, with parameters in braces.
    pub(crate) path: String,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) body: Option<RequestBody>,
    /// The names of the schemes of the `Authorization` header that are accepted.
    pub(crate) schemes: Vec<&'static str>,
    pub(crate) answers: Vec<Answer>,
}

/// A parameter of the path or the query.
#[derive(Debug)]
pub(crate) struct Parameter {
    pub(crate) name: String,
    pub(crate) place: Place,
    pub(crate) required: bool,
    /// An array whose items are joined by commas.
    pub(crate) is_list: bool,
    pub(crate) schema: Schema,
}

/// Where a parameter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Path,
    Query,
}

/// The body of a request.
#[derive(Debug)]
pub(crate) struct RequestBody {
    pub(crate) required: bool,
    pub(crate) schema: Schema,
}

/// What may come back.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The status; `None` stands for every one that is not named.
    pub(crate) status: Option<u16>,
    /// By content type; none means that there is no body.
    pub(crate) contents: Vec<(String, Schema)>,
}

impl Spec {
    /// Reads a description.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let document: Value =
            serde_json::from_str(text).map_err(|error| format!("it is not JSON: {error}"))?;
        let text = |pointer| document.pointer(pointer).and_then(Value::as_str);
        let version = text("/openapi").ok_or("it has no member `openapi`")?;
        if !version.starts_with("3.0") {
            return Err(format!("it is OpenAPI {version}, and only 3.0 is understood"));
        }
        let name = [text("/info/title"), text("/info/version")];
        let reader = Reader { document: &document };
        let mut operations = Vec::new();
        for (path, item) in members(&document, "paths")? {
            for method in METHODS {
                if let Some(operation) = item.get(method.as_str().to_ascii_lowercase()) {
                    let operation = reader.operation(path, item, &method, operation);
                    operations.push(operation.map_err(|why| format!("{method} {path}: {why}"))?);
                }
            }
        }
        let name = name.into_iter().flatten().collect::<Vec<_>>().join(", ");
        Ok(Self { name, operations })
    }

    /// Finds the operation a request is for, and the values in its path.
    pub(crate) fn find(&self, method: &Method, path: &str) -> Option<(usize, Vec<String>)> {
        let candidates = self.operations.iter().enumerate().filter_map(|(index, operation)| {
            let values = operation.match_path(path)?;
            (operation.method == *method).then_some((index, values))
        });
        // A path that is named goes before one with a parameter at the same place.
        candidates.min_by_key(|(_, values)| values.len())
    }
}

impl Operation {
    fn match_path(&self, path: &str) -> Option<Vec<String>> {
        let (template, path): (Vec<_>, Vec<_>) =
            (self.path.split('/').collect(), path.split('/').collect());
        if template.len() != path.len() {
            return None;
        }
        let mut values = Vec::new();
        for (template, part) in template.into_iter().zip(path) {
            match template.split_once('{') {
                Some((before, rest)) => {
                    let (_, after) = rest.split_once('}')?;
                    let value = part.strip_prefix(before)?.strip_suffix(after)?;
                    let value = percent_encoding::percent_decode_str(value).decode_utf8().ok()?;
                    values.push(value.into_owned());
                }
                None if template == part => {}
                None => return None,
            }
        }
        Some(values)
    }
}

/// Reads parts of a document.
struct Reader<'a> {
    document: &'a Value,
}

impl<'a> Reader<'a> {
    fn operation(
        &self,
        path: &str,
        item: &'a Value,
        method: &Method,
        operation: &'a Value,
    ) -> Result<Operation, String> {
        let shared = array(item.get("parameters"));
        let own = array(operation.get("parameters"));
        let parameters = shared.iter().chain(own).map(|parameter| self.parameter(parameter));
        let security = operation.get("security").or_else(|| self.document.get("security"));
        let schemes = array(security).iter().flat_map(|choice| {
            choice.as_object().into_iter().flat_map(|choice| choice.keys()).map(|name| {
                self.scheme(name).ok_or_else(|| format!("the scheme `{name}` is not understood"))
            })
        });
        let answers = members(operation, "responses")?
            .iter()
            .map(|(status, answer)| self.answer(status, answer));
        let id = operation.get("operationId").and_then(Value::as_str).unwrap_or(path);
        Ok(Operation {
            id: id.to_owned(),
            method: method.clone(),
            path: path.to_owned(),
            parameters: parameters.collect::<Result<_, _>>()?,
            body: operation.get("requestBody").map(|body| self.body(body)).transpose()?,
            schemes: schemes.collect::<Result<_, _>>()?,
            answers: answers.collect::<Result<_, _>>()?,
        })
    }

    fn parameter(&self, parameter: &'a Value) -> Result<Parameter, String> {
        let parameter = self.resolve(parameter)?;
        let text = |name| parameter.get(name).and_then(Value::as_str);
        let name = text("name").ok_or("a parameter has no name")?;
        let place = match text("in") {
            Some("path") => Place::Path,
            Some("query") => Place::Query,
            other => return Err(format!("the parameter `{name}` is in {other:?}")),
        };
        let schema = parameter.get("schema").ok_or("a parameter has no schema")?;
        Ok(Parameter {
            name: name.to_owned(),
            place,
            required: parameter.get("required") == Some(&Value::Bool(true)),
            is_list: self.resolve(schema)?.get("type") == Some(&Value::from("array")),
            schema: Schema::compile(self.document, schema)?,
        })
    }

    fn body(&self, body: &'a Value) -> Result<RequestBody, String> {
        let body = self.resolve(body)?;
        let schema = body.pointer("/content/application~1json/schema");
        let schema = schema.ok_or("the request's body is not JSON")?;
        Ok(RequestBody {
            required: body.get("required") == Some(&Value::Bool(true)),
            schema: Schema::compile(self.document, schema)?,
        })
    }

    fn answer(&self, status: &str, answer: &'a Value) -> Result<Answer, String> {
        let answer = self.resolve(answer)?;
        let status = match status {
            "default" => None,
            status => Some(status.parse().map_err(|_| format!("`{status}` is no status"))?),
        };
        let mut contents = Vec::new();
        let described = answer.get("content").and_then(Value::as_object);
        for (content_type, content) in described.into_iter().flatten() {
            let schema = content.get("schema").ok_or("an answer's content has no schema")?;
            contents.push((content_type.clone(), Schema::compile(self.document, schema)?));
        }
        Ok(Answer { status, contents })
    }

    /// Returns the word with which the header of a security scheme begins.
    fn scheme(&self, name: &str) -> Option<&'static str> {
        let scheme = self.document.pointer(&format!("/components/securitySchemes/{name}"))?;
        let text = |name| scheme.get(name).and_then(Value::as_str);
        match (text("type")?, text("scheme")) {
            ("http", Some("bearer")) | ("oauth2", _) => Some("Bearer"),
            ("http", Some("OAuth")) => Some("OAuth"),
            _ => None,
        }
    }

    fn resolve(&self, value: &'a Value) -> Result<&'a Value, String> {
        match value.get("$ref").and_then(Value::as_str) {
            Some(reference) => {
                let target = reference.strip_prefix('#').and_then(|p| self.document.pointer(p));
                target.ok_or_else(|| format!("`{reference}` leads nowhere"))
            }
            None => Ok(value),
        }
    }
}

fn members<'a>(value: &'a Value, name: &str) -> Result<&'a Map<String, Value>, String> {
    let members = value.get(name).and_then(Value::as_object);
    members.ok_or_else(|| format!("it has no object `{name}`"))
}

fn array(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}
