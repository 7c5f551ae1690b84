//! Schemas, made ready for a validator.

use jsonschema::{Draft, Validator};
use serde_json::{Map, Value, json};

/// A schema that can judge.
pub(crate) struct Schema {
    /// As the description says it.
    open: Validator,
    /// The same, and a member that is not named is an error.
    closed: Validator,
}

impl Schema {
    /// Takes a schema of a document, whose components it may refer to.
    pub(super) fn compile(document: &Value, schema: &Value) -> Result<Self, String> {
        let compile = |closed| {
            let rewrite = |value| rewritten(value, closed);
            let components = document.get("components").map(rewrite).unwrap_or_default();
            // A `$ref` hides what stands beside it, hence the detour.
            let whole = json!({ "allOf": [rewrite(schema)], "components": components });
            jsonschema::options()
                .with_draft(Draft::Draft4)
                .offline()
                .build(&whole)
                .map_err(|error| format!("a schema cannot be used: {error}"))
        };
        Ok(Self { open: compile(false)?, closed: compile(true)? })
    }

    /// Says what is wrong with a value.
    pub(crate) fn judge(&self, value: &Value) -> Vec<String> {
        judge(&self.open, value)
    }

    /// The same; a member that the description does not name is wrong too.
    pub(crate) fn judge_closed(&self, value: &Value) -> Vec<String> {
        judge(&self.closed, value)
    }
}

impl std::fmt::Debug for Schema {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Schema").finish_non_exhaustive()
    }
}

fn judge(validator: &Validator, value: &Value) -> Vec<String> {
    let problem = |error: jsonschema::ValidationError<'_>| match error.instance_path().as_str() {
        "" => error.to_string(),
        path => format!("{path}: {error}"),
    };
    validator.iter_errors(value).map(problem).collect()
}

/// Says in JSON Schema what `OpenAPI` 3.0 has words of its own for.
fn rewritten(value: &Value, closed: bool) -> Value {
    match value {
        Value::Array(items) => items.iter().map(|item| rewritten(item, closed)).collect(),
        Value::Object(members) => {
            let mut members: Map<_, _> = members
                .iter()
                .map(|(name, value)| (name.clone(), rewritten(value, closed)))
                .collect();
            if members.get("nullable") == Some(&Value::Bool(true))
                && let Some(Value::String(name)) = members.get("type")
            {
                let types = json!([name, "null"]);
                members.insert("type".to_owned(), types);
            }
            // Only schemas have both, members of the name `properties` have no type.
            let is_object = members.get("type") == Some(&Value::from("object"))
                && members.get("properties").is_some_and(Value::is_object);
            if closed && is_object && !members.contains_key("additionalProperties") {
                members.insert("additionalProperties".to_owned(), Value::Bool(false));
            }
            Value::Object(members)
        }
        other => other.clone(),
    }
}
