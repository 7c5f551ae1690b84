/// A part of a list, and how to ask for what follows it.
///
/// X's lists come in one piece today; should one name a `meta.next_token`, it is followed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Page<T> {
    /// What the page holds.
    pub content: T,
    /// Asks for the next page; `None` on the last one.
    pub next: Option<PageToken>,
}

impl<T> Page<T> {
    pub(crate) fn new(content: T, next: Option<PageToken>) -> Self {
        Self { content, next }
    }
}

/// Names the next page of a list, in X's own words. It is sent as `pagination_token`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PageToken(String);

impl PageToken {
    /// Finds the token in the body of a list.
    pub(crate) fn in_answer(body: &serde_json::Value) -> Option<Self> {
        let token = body.pointer("/meta/next_token")?.as_str()?;
        (!token.is_empty()).then(|| Self(token.to_owned()))
    }

    /// Returns the token.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
