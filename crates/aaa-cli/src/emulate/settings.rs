//! How the emulator behaves: what a file says, on top of that single settings, and on top of both
//! the flags that have a name of their own.

use std::path::Path;

use aaa_emulator::settings::{AppAccess, OauthTime, Quota as Limits, Settings, TimeMode, UrlRule};
use serde_json::{Map, Value};

use crate::{
    cli::{
        EmulateArgs, Quota,
        emulate::{Access, Setting},
    },
    exit::{Exit, Failure},
    output,
};

/// Puts together what was asked for.
///
/// # Errors
///
/// Fails when the file cannot be read or is no JSON object; and as wrong usage when a setting is
/// unknown, its value is none of it, or it cannot be kept to.
pub(super) fn settings(args: &EmulateArgs) -> Result<Settings, Failure> {
    let emulated = &args.emulated;
    let mut told = emulated.settings.as_deref().map(read).transpose()?.unwrap_or_default();
    for Setting { name, value } in &emulated.set {
        told.insert(name.clone(), value.clone());
    }
    // One by one, so that the one that is wrong is named.
    for (name, value) in &told {
        taken(Map::from_iter([(name.clone(), value.clone())])).map_err(|error| {
            let words = format!("the setting `{}` cannot be so", output::printable(name));
            Exit::Usage.of(&words, error).advise(
                "docs/EMULATOR.md has all settings; `GET /_emulator/state` shows them as they are",
            )
        })?;
    }
    let wrong = |error| Exit::Usage.of("the settings cannot be so", error);
    let mut settings = taken(told).map_err(wrong)?;
    name(&mut settings, args);
    settings.check().map_err(|error| Exit::Usage.with(error.to_string()))?;
    Ok(settings)
}

fn taken(told: Map<String, Value>) -> Result<Settings, serde_json::Error> {
    serde_json::from_value(Value::Object(told))
}

/// What flags say is said last.
fn name(settings: &mut Settings, args: &EmulateArgs) {
    if let Some(seed) = args.seed {
        settings.seed = seed;
    }
    if args.strict_urls {
        settings.urls = UrlRule::Strict;
    }
    if args.strict_oauth_time {
        settings.oauth_time = OauthTime::Strict;
    }
    if args.virtual_time {
        settings.time = TimeMode::Virtual;
    }
    if let Some(start) = args.emulated.start_at {
        settings.start = Some(start);
    }
    match args.emulated.access {
        Some(Access::Full) => settings.access = AppAccess::Full,
        Some(Access::ReadOnly) => settings.access = AppAccess::ReadOnly,
        Some(Access::WithoutReplay) => settings.access = AppAccess::WithoutReplay,
        Some(Access::NotEnrolled) => settings.access = AppAccess::NotEnrolled,
        None => {}
    }
    match args.quota {
        Some(Quota::Enterprise) => settings.quota = Limits::ENTERPRISE,
        Some(Quota::PayPerUse) => settings.quota = Limits::PAY_PER_USE,
        None => {}
    }
}

fn read(path: &Path) -> Result<Map<String, Value>, Failure> {
    let failed = |what: &str, error: &dyn std::fmt::Display| {
        Exit::Failed.of(&format!("the settings in {} {what}", path.display()), error)
    };
    let text = std::fs::read(path).map_err(|error| failed("cannot be read", &error))?;
    serde_json::from_slice(&text).map_err(|error| failed("are no JSON object", &error))
}
