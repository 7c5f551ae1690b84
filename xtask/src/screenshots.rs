//! `cargo xtask screenshots`: the pictures of the documentation, made anew.
//!
//! A test of the dashboard opens every page in a browser, and keeps a picture of each where a
//! variable says so; a few of them go into the repository.

use std::fs;

use crate::{cargo::Cargo, outcome::Failure, workspace::Workspace};

/// Those that are kept, and under which names.
const KEPT: [(&str, &str); 2] = [
    ("overview-1280-light.png", "dashboard-overview.png"),
    ("overview-390-dark.png", "dashboard-phone.png"),
];

/// None is larger, in bytes: everybody who clones has to fetch them.
const LARGEST: u64 = 200_000;

/// Runs the command.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    if let Some(word) = arguments.first() {
        return Err(Failure::Usage(format!("unexpected argument `{word}`")));
    }
    let workspace = Workspace::load()?;
    let failed = |error: std::io::Error| Failure::Failed(format!("no picture was made: {error}"));
    let made = workspace.target.join("pictures");
    // What an earlier run has left would be taken for this one's.
    if made.exists() {
        fs::remove_dir_all(&made).map_err(failed)?;
    }
    fs::create_dir_all(&made).map_err(failed)?;
    Cargo::new("test --quiet --package aaa-dashboard --test it")
        .args(["--", "browser::every_page_is_fit_for_everybody"])
        .env("AAA_PICTURES", made.to_string_lossy())
        .run(&workspace)?;
    let kept = workspace.root.join("docs/images");
    fs::create_dir_all(&kept).map_err(failed)?;
    for (from, to) in KEPT {
        let bytes = fs::copy(made.join(from), kept.join(to)).map_err(|error| {
            Failure::Failed(format!("`{from}` was not made, or not kept ({error}): are chromium and chromedriver installed?"))
        })?;
        if bytes > LARGEST {
            let words = format!("`{to}` has {bytes} bytes, more than {LARGEST}");
            return Err(Failure::Failed(words));
        }
        println!("docs/images/{to}: {bytes} bytes");
    }
    Ok(())
}
