//! What the demo tells, to people or as JSON lines.

use serde_json::{Value, json};

use super::summary::Summary;
use crate::{exit::Failure, output};

/// The teller. In JSON every step is one object with a `step`; the last line is the summary.
#[derive(Debug, Clone, Copy)]
pub(super) struct Story {
    json: bool,
}

impl Story {
    pub(super) fn new(json: bool) -> Self {
        Self { json }
    }

    /// Tells a step: its name, the facts, and the same in a sentence.
    pub(super) fn step(self, name: &str, facts: Value, sentence: &str) -> Result<(), Failure> {
        if self.json {
            let mut object = json!({ "step": name });
            if let (Value::Object(object), Value::Object(facts)) = (&mut object, facts) {
                object.extend(facts);
            }
            output::line(object)?;
        } else {
            output::line(format_args!("  {sentence}"))?;
        }
        Ok(())
    }

    /// Tells the end.
    pub(super) fn end(self, summary: &Summary) -> Result<(), Failure> {
        if self.json {
            output::line(json!(summary))?;
        } else {
            output::line(format_args!("\n{}", summary.table()))?;
        }
        Ok(())
    }
}
