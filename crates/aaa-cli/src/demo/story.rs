//! What the demo tells, to people or as JSON lines.

use serde::Serialize;
use serde_json::Value;

use super::summary::Summary;
use crate::{
    exit::{Exit, Failure},
    output,
};

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
            object(&Step { step: name, facts })?;
        } else {
            output::line(format_args!("  {sentence}"))?;
        }
        Ok(())
    }

    /// Tells the end.
    pub(super) fn end(self, summary: &Summary) -> Result<(), Failure> {
        if self.json {
            object(summary)?;
        } else {
            output::line(format_args!("\n{}", summary.table()))?;
        }
        Ok(())
    }
}

/// A line of JSON; the name of the step comes first.
#[derive(Serialize)]
struct Step<'a> {
    step: &'a str,
    #[serde(flatten)]
    facts: Value,
}

fn object(value: &impl Serialize) -> Result<bool, Failure> {
    let text = serde_json::to_string(value);
    output::line(text.map_err(|error| Exit::Failed.of("could not write JSON", error))?)
}
