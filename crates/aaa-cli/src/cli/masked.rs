//! URLs on the command line. What is refused is repeated, so that the user finds it; a password in
//! it is not, since terminals are recorded and logs are kept.

use std::{ffi::OsStr, fmt::Display, marker::PhantomData, str::FromStr};

use clap::{
    Arg, Command, Error,
    builder::{TypedValueParser, ValueParserFactory},
    error::ErrorKind,
};

use crate::forward::ForwardUrl;

/// Reads a URL, and hides who and what may be in it where it is refused.
#[derive(Debug)]
pub(crate) struct Masked<T>(PhantomData<fn() -> T>);

impl<T> Default for Masked<T> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T> Clone for Masked<T> {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl<T> TypedValueParser for Masked<T>
where
    T: FromStr<Err: Display> + Clone + Send + Sync + 'static,
{
    type Value = T;

    fn parse_ref(&self, cmd: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<T, Error> {
        let text =
            value.to_str().ok_or_else(|| Error::new(ErrorKind::InvalidUtf8).with_cmd(cmd))?;
        text.parse().map_err(|error: T::Err| {
            let (shown, words) = (masked(text), without(text, &error.to_string()));
            // The words of clap, about what may be shown.
            let refuse = move |_: &str| Err::<T, String>(words.clone());
            match refuse.parse_ref(cmd, arg, OsStr::new(&shown)) {
                Err(error) => error,
                Ok(_) => Error::new(ErrorKind::ValueValidation).with_cmd(cmd),
            }
        })
    }
}

impl ValueParserFactory for ForwardUrl {
    type Parser = Masked<Self>;

    fn value_parser() -> Self::Parser {
        Masked::default()
    }
}

/// Returns what stands where a URL has user and password. A password that nobody has encoded may
/// hold any character, so the last `@` ends it.
fn secret(text: &str) -> Option<&str> {
    let (before, _) = text.rsplit_once('@')?;
    Some(before.split_once("://").map_or(before, |(_, rest)| rest)).filter(|s| !s.is_empty())
}

/// Returns a text that may be a URL without user, password, and query, which may hold a token.
fn masked(text: &str) -> String {
    let text = match secret(text) {
        Some(secret) => text.replacen(secret, "…", 1),
        None => text.to_owned(),
    };
    match text.split_once('?') {
        Some((before, _)) => format!("{before}?…"),
        None => text,
    }
}

/// Returns words about a text, without what is masked in it.
fn without(text: &str, words: &str) -> String {
    let words = words.replace(text, &masked(text));
    match secret(text) {
        Some(secret) => words.replace(secret, "…"),
        None => words,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_of_a_url() {
        for (text, shown) in [
            ("http://ann:hush@host/path", "http://…@host/path"),
            ("http://ann:hu/sh@host/", "http://…@host/"),
            ("http://ann:hu@sh@host/", "http://…@host/"),
            ("ann:hush@host", "…@host"),
            ("http://host/path?token=hush", "http://host/path?…"),
            ("http://ann:hu?sh@host/", "http://…@host/"),
            ("http://@host", "http://@host"),
            ("ftp://host", "ftp://host"),
            ("", ""),
        ] {
            assert_eq!(masked(text), shown);
            let words = without(text, &format!("`{text}` is wrong, {text}"));
            assert!(!words.contains("hush") && !words.contains("hu/sh"), "{words}");
        }
    }
}
