use std::{path::PathBuf, str::FromStr};

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use serde_json::Value;

use super::{replay::time, trigger::json};

/// What the emulated X knows and lets the app do.
#[derive(Debug, Args)]
pub(crate) struct EmulatedArgs {
    /// How it behaves: a JSON object of settings, which docs/EMULATOR.md lists; flags with a name of
    /// their own win
    #[arg(long, value_name = "FILE")]
    pub(crate) settings: Option<PathBuf>,
    /// One setting, such as blocked_flag='"text"', over what --settings says; may be given more than
    /// once
    #[arg(long, value_name = "NAME=JSON")]
    pub(crate) set: Vec<Setting>,
    /// When its clock begins, from 2011 to 2080; now, if not given
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) start_at: Option<Timestamp>,
    /// What X lets the app do [default: full]
    #[arg(long, value_enum)]
    pub(crate) access: Option<Access>,
    /// Call `https` webhooks whose certificate is in this file, or signed by one that is
    #[arg(long, value_name = "FILE")]
    pub(crate) trust_ca: Option<PathBuf>,
    /// Go on from what is in this file, if it is there, and keep everything in it
    #[arg(long, value_name = "FILE")]
    pub(crate) state: Option<PathBuf>,
}

/// What X lets the app do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Access {
    /// Everything.
    Full,
    /// Users gave permission to read only.
    ReadOnly,
    /// Everything but replays.
    WithoutReplay,
    /// Nothing: the product was never enabled for the app.
    NotEnrolled,
}

/// A setting and its value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Setting {
    pub(crate) name: String,
    pub(crate) value: Value,
}

impl FromStr for Setting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, value) = text.split_once('=').ok_or("write NAME=JSON, such as concurrency=8")?;
        Ok(Self { name: name.to_owned(), value: json(value)? })
    }
}
