//! Forms, written and read: bodies, answers, and the query of a callback.

use url::form_urlencoded;

/// What a body in this form is announced as. X's own page writes it so.
pub(crate) const CONTENT_TYPE: &str = "application/x-www-form-urlencoded;charset=UTF-8";

/// Writes a form.
pub(crate) fn write(pairs: &[(&'static str, String)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// A form that was read.
pub(crate) struct Form(Vec<(String, String)>);

impl Form {
    /// Reads any bytes: what is no form has none of the names that are asked for.
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        Self(form_urlencoded::parse(bytes.trim_ascii()).into_owned().collect())
    }

    /// Returns the value of a name. A name that is there twice is refused: nobody could say
    /// which was meant.
    pub(crate) fn one(&self, name: &'static str) -> Result<Option<&str>, Twice> {
        let mut values = self.0.iter().filter(|(n, _)| n == name).map(|(_, v)| v.as_str());
        let first = values.next();
        if values.next().is_some() { Err(Twice(name)) } else { Ok(first) }
    }
}

/// A name is there twice.
pub(crate) struct Twice(pub(crate) &'static str);
