use std::fmt;

use serde_json::error::Category;

/// A text is not the JSON form of users' tokens. What stands in it is not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokensError {
    line: usize,
    column: usize,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Ends,
    Syntax,
    Form,
}

impl TokensError {
    /// The error's own words repeat what it did not expect, which may be a secret.
    pub(super) fn new(error: &serde_json::Error) -> Self {
        let kind = match error.classify() {
            Category::Eof => Kind::Ends,
            Category::Syntax | Category::Io => Kind::Syntax,
            Category::Data => Kind::Form,
        };
        Self { line: error.line(), column: error.column(), kind }
    }

    /// Returns the line of the first fault, from 1.
    pub fn line(&self) -> usize {
        self.line
    }

    /// Returns the column of the first fault, or where the member ends that has it.
    pub fn column(&self) -> usize {
        self.column
    }

    /// Says whether the text ends too early, as one does that was cut off.
    pub fn is_cut_off(&self) -> bool {
        self.kind == Kind::Ends
    }
}

impl fmt::Display for TokensError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: ", self.line, self.column)?;
        f.write_str(match self.kind {
            Kind::Ends => "the text ends too early",
            Kind::Syntax => "this is not JSON",
            Kind::Form => {
                "this is not what it should be: users are keyed by their id, each there once, \
                 with `access_token` and `access_token_secret`, and `added_at` and `revoked_at` are \
                 times such as 2025-11-22T04:00:00Z"
            }
        })
    }
}

impl std::error::Error for TokensError {}
