//! Finds the members of a body, and what identifies its items, in one pass over the text.
//!
//! Most of the time that a delivery costs goes into looking at every byte of it, so each is looked
//! at once. Only the outermost structure is read here, two kinds of brackets deep; every name and
//! value is read by `serde_json`, which says where it ends. Whatever is not quite as X writes it
//! is left to [`members::read`](super::members::read), which also knows what to call an error.

use std::str;

use serde::Deserialize;
use serde_json::{Deserializer, value::RawValue};

use super::members::{Content, Member, Name, RawItem, Role};
use crate::event::item::Activity;

/// Reads the bytes of a body: its text and its members. `None` says nothing about the bytes.
pub(super) fn read(bytes: &[u8]) -> Option<(&str, Vec<Member<'_>>)> {
    let mut cursor = Cursor { rest: str::from_utf8(bytes).ok()? };
    let whole = cursor.peek();
    let mut members = Vec::with_capacity(4);
    cursor.list('{', '}', |cursor| {
        let (Name(name), _) = cursor.value()?;
        cursor.symbol(':')?;
        let content = cursor.content(&name)?;
        members.push(Member { name, content });
        Some(())
    })?;
    let raw = whole.get(..whole.len() - cursor.rest.len())?;
    cursor.peek().is_empty().then_some((raw, members))
}

/// What is still to be read.
struct Cursor<'a> {
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    fn content(&mut self, name: &str) -> Option<Content<'a>> {
        let start = self.peek();
        match Role::of(name) {
            Role::Items if start.starts_with('[') => {
                let mut items = Vec::with_capacity(1);
                self.list('[', ']', |cursor| {
                    items.push(cursor.item(name)?);
                    Some(())
                })?;
                return Some(Content::Items(items));
            }
            Role::Single if start.starts_with('{') => return self.item(name).map(Content::Single),
            Role::Activity if start.starts_with('{') => {
                let read = self.value::<Activity<'_>>();
                let content = read.and_then(|(read, text)| Content::activity(&read, text));
                if content.is_some() {
                    return content;
                }
            }
            _ => {}
        }
        // What was no event is read once more, as anything.
        self.rest = start;
        self.value().map(|(value, _)| Content::Context(value))
    }

    fn item(&mut self, kind: &str) -> Option<RawItem<'a>> {
        if self.peek().starts_with('{')
            && let Some((fields, text)) = self.value()
        {
            return Some(RawItem::new(kind, text, Some(&fields)));
        }
        let (_, text) = self.value::<&RawValue>()?;
        Some(RawItem::new(kind, text, None))
    }

    /// Reads whatever stands between two brackets, separated by commas.
    fn list(
        &mut self,
        open: char,
        close: char,
        mut read: impl FnMut(&mut Self) -> Option<()>,
    ) -> Option<()> {
        self.symbol(open)?;
        if self.symbol(close).is_some() {
            return Some(());
        }
        loop {
            read(self)?;
            if self.symbol(',').is_none() {
                return self.symbol(close);
            }
        }
    }

    /// Reads one value; if it does not fit, nothing is read.
    fn value<T: Deserialize<'a>>(&mut self) -> Option<(T, &'a str)> {
        let start = self.peek();
        let mut values = Deserializer::from_str(start).into_iter::<T>();
        let value = values.next()?.ok()?;
        let (text, rest) = start.split_at_checked(values.byte_offset())?;
        self.rest = rest;
        Some((value, text))
    }

    /// Reads one character; if it is another, nothing is read.
    fn symbol(&mut self, symbol: char) -> Option<()> {
        self.rest = self.peek().strip_prefix(symbol)?;
        Some(())
    }

    /// Returns what comes behind white space.
    fn peek(&self) -> &'a str {
        self.rest.trim_start_matches([' ', '\n', '\t', '\r'])
    }
}
