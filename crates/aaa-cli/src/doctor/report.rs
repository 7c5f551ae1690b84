//! What was found, for people and for scripts.

use serde::Serialize;

use crate::{
    exit::{Exit, Failure},
    output::{self, Colour},
};

/// What was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Check {
    Url,
    Dns,
    Connection,
    Tls,
    Certificate,
    Redirect,
    Challenge,
    Query,
    Latency,
    Compression,
    Forgery,
    Signature,
    Body,
    ReceiverClock,
    XClock,
    Directory,
    Disk,
    ConsumerSecret,
    BearerToken,
    AccessToken,
    Permission,
    Webhook,
    Subscriptions,
}

impl Check {
    fn words(self) -> &'static str {
        match self {
            Self::Url => "URL",
            Self::Dns => "DNS",
            Self::Connection => "connection",
            Self::Tls => "TLS",
            Self::Certificate => "certificate",
            Self::Redirect => "redirect",
            Self::Challenge => "challenge",
            Self::Query => "query",
            Self::Latency => "latency",
            Self::Compression => "compression",
            Self::Forgery => "forgery",
            Self::Signature => "signature",
            Self::Body => "body",
            Self::ReceiverClock => "receiver's clock",
            Self::XClock => "X's clock",
            Self::Directory => "data directory",
            Self::Disk => "disk",
            Self::ConsumerSecret => "consumer secret",
            Self::BearerToken => "bearer token",
            Self::AccessToken => "access token",
            Self::Permission => "permission",
            Self::Webhook => "webhook",
            Self::Subscriptions => "subscriptions",
        }
    }
}

/// How it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    Ok,
    /// It works, and may not go on to; or it could not be told.
    Warning,
    Wrong,
}

impl Verdict {
    fn words(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Wrong => "wrong",
        }
    }

    fn colour(self) -> Colour {
        match self {
            Self::Ok => Colour::Green,
            Self::Warning => Colour::Yellow,
            Self::Wrong => Colour::Red,
        }
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    check: Check,
    verdict: Verdict,
    found: String,
    /// What to do about it; there is none when nothing has to be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<String>,
}

impl Finding {
    pub(super) fn ok(check: Check, found: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Ok, found: found.into(), fix: None }
    }

    pub(super) fn warning(check: Check, found: impl Into<String>, fix: impl Into<String>) -> Self {
        let (found, fix) = (found.into(), Some(fix.into()));
        Self { check, verdict: Verdict::Warning, found, fix }
    }

    pub(super) fn wrong(check: Check, found: impl Into<String>, fix: impl Into<String>) -> Self {
        let (found, fix) = (found.into(), Some(fix.into()));
        Self { check, verdict: Verdict::Wrong, found, fix }
    }

    /// Returns the lines for people: the verdict, and what to do.
    fn lines(&self, paint: impl Fn(Colour, &str) -> String) -> Vec<String> {
        // The colour must not count for the width.
        let verdict = self.verdict.words();
        let gap = " ".repeat(9_usize.saturating_sub(verdict.len()));
        let found = output::printable(&self.found);
        let painted = paint(self.verdict.colour(), verdict);
        let mut lines = vec![format!("{painted}{gap}{:<18}{found}", self.check.words())];
        if let Some(fix) = &self.fix {
            lines.push(format!("{:27}fix: {}", "", output::printable(fix)));
        }
        lines
    }

    #[cfg(test)]
    pub(super) fn line(&self) -> String {
        let fix = self.fix.as_ref().map(|fix| format!(" | {fix}")).unwrap_or_default();
        format!("{} {}: {}{fix}", self.verdict.words(), self.check.words(), self.found)
    }
}

/// All that was looked at. In JSON one object: `url`, `fit`, and `checks` with what each of them
/// found.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    url: String,
    fit: bool,
    checks: Vec<Finding>,
}

impl Report {
    pub(super) fn new(url: &str) -> Self {
        Self { url: url.to_owned(), fit: true, checks: Vec::new() }
    }

    pub(super) fn add(&mut self, finding: Finding) {
        self.fit &= finding.verdict != Verdict::Wrong;
        self.checks.push(finding);
    }

    pub(super) fn extend(&mut self, findings: impl IntoIterator<Item = Finding>) {
        findings.into_iter().for_each(|finding| self.add(finding));
    }

    /// Prints it as data.
    ///
    /// # Errors
    ///
    /// Fails when stdout cannot be written.
    pub(super) fn print(&self, json: bool) -> Result<(), Failure> {
        if json {
            return output::json(self);
        }
        for line in self.checks.iter().flat_map(|finding| finding.lines(output::paint)) {
            if !output::line(line)? {
                break;
            }
        }
        Ok(())
    }

    /// Returns whether it is fit, as the end of the command.
    ///
    /// # Errors
    ///
    /// Fails when something is wrong.
    pub(super) fn verdict(&self) -> Result<(), Failure> {
        let count = |verdict| self.checks.iter().filter(|c| c.verdict == verdict).count();
        let (wrong, warnings) = (count(Verdict::Wrong), count(Verdict::Warning));
        let warnings = match warnings {
            0 => String::new(),
            1 => ", with a warning".to_owned(),
            n => format!(", with {n} warnings"),
        };
        if self.fit {
            output::note(format_args!("the webhook is fit{warnings}"));
            return Ok(());
        }
        let things = if wrong == 1 { "one thing is" } else { &format!("{wrong} things are") };
        Err(Exit::Failed.with(format!("the webhook is not fit: {things} wrong{warnings}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_json() {
        let mut report = Report::new("https://example.com/hook");
        report.add(Finding::ok(Check::Url, "X takes it"));
        report.add(Finding::warning(Check::Certificate, "ends in 5 days", "renew it"));
        insta::assert_json_snapshot!(report, @r#"
        {
          "url": "https://example.com/hook",
          "fit": true,
          "checks": [
            {
              "check": "url",
              "verdict": "ok",
              "found": "X takes it"
            },
            {
              "check": "certificate",
              "verdict": "warning",
              "found": "ends in 5 days",
              "fix": "renew it"
            }
          ]
        }
        "#);
        assert!(report.verdict().is_ok());
        report.add(Finding::wrong(Check::ReceiverClock, "an hour off", "set it"));
        let report = serde_json::to_value(&report).unwrap();
        assert_eq!(
            (&report["fit"], &report["checks"][2]["check"]),
            (&serde_json::json!(false), &serde_json::json!("receiver_clock"))
        );
    }

    #[test]
    fn for_people() {
        let plain = |_: Colour, text: &str| text.to_owned();
        let hostile = Finding::wrong(Check::Dns, "a\u{1b}[2J", "b\nc");
        insta::assert_snapshot!(hostile.lines(plain).join("\n"), @r"
        wrong    DNS               a [2J
                                   fix: b c
        ");
        let painted = |colour: Colour, text: &str| format!("<{colour:?}>{text}</>");
        let ok = Finding::ok(Check::ReceiverClock, "right");
        insta::assert_snapshot!(ok.lines(painted).join("\n"), @"<Green>ok</>       receiver's clock  right");
    }
}
