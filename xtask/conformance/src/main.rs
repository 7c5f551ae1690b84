//! Makes every call with the client, against the emulator, over real HTTP, and judges the requests
//! of the one and the answers of the other by a description of the API.
//!
//! v2 is judged by X's own description, which is not in this repository: `--spec FILE`. v1.1 has
//! none, so X's pages are written down as one in `v1.1.json`.
//!
//! Exit codes: 0 good, 1 something is wrong, 2 usage.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "printing is what this program is for"
)]

mod check;
mod record;
mod report;
mod scenario;
mod spec;
mod webhook;

use std::{error::Error, process::ExitCode};

use aaa_client::ApiVersion;

use crate::{check::Errors, report::Report, spec::Spec};

/// X's pages about v1.1, as a description.
const V1_1: &str = include_str!("../v1.1.json");

/// Operations of X's description that are not this project's: the management of XAA.
const LEFT_OUT: [&str; 1] = ["/2/activity/"];

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [option, file] = arguments.as_slice() else {
        return usage();
    };
    if option != "--spec" {
        return usage();
    }
    match run(file).await {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> ExitCode {
    eprintln!("usage: conformance --spec FILE");
    ExitCode::from(2)
}

/// Judges both generations, and returns how much is wrong.
async fn run(file: &str) -> Result<usize, Box<dyn Error + Send + Sync>> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("`{file}`: {error}"))?;
    let spec = Spec::parse(&text).map_err(|error| format!("`{file}`: {error}"))?;
    let v2 = scenario::run(ApiVersion::V2).await?;
    let v2 = Report::new(&spec, &v2, Errors::Loose, &LEFT_OUT);
    let v1_1 = v1_1().await?;
    println!("{v2}\n{v1_1}");
    let failures = v2.failures() + v1_1.failures();
    println!("failures: {failures}");
    Ok(failures)
}

async fn v1_1() -> Result<Report, Box<dyn Error + Send + Sync>> {
    let traffic = scenario::run(ApiVersion::V1_1).await?;
    // Messages are sent on v2 whatever the generation, so nothing is left out here.
    Ok(Report::new(&Spec::parse(V1_1)?, &traffic, Errors::Strict, &[]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The half that needs no file from outside.
    #[tokio::test]
    async fn v1_1_is_as_its_pages_say() {
        let report = v1_1().await.unwrap();
        assert_eq!(report.failures(), 0, "{report}");
        insta::assert_snapshot!(report);
    }
}
