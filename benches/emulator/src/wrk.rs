//! wrk, which sends one request over and over, made once and never signed again.

use std::{fs, path::Path};

use aaa_emulator::credentials;
use aaa_webhook::signature::{HEADER, Signature};
use load::usage;
use tokio::process::Command;

use crate::{CONNECTIONS, Failure, Rates, TIME};

/// Returns how many requests it makes; nothing where it is not installed.
pub(crate) async fn rates(
    url: &str,
    body: &str,
    directory: &Path,
) -> Result<Option<Rates>, Failure> {
    let signature = Signature::of(&credentials::CONSUMER_SECRET.parse()?, body.as_bytes());
    // Level-two brackets, so that nothing in the body is an escape.
    let script = format!(
        "wrk.method = \"POST\"\nwrk.headers[\"content-type\"] = \"application/json\"\n\
         wrk.headers[\"{HEADER}\"] = \"{signature}\"\nwrk.body = [==[{body}]==]\n"
    );
    let file = directory.join("request.lua");
    fs::write(&file, script)?;
    let before = usage::cpu_of_children();
    let ran = Command::new("wrk")
        .args(["--threads", "1", "--connections", &CONNECTIONS.to_string()])
        .args(["--duration", &format!("{}s", TIME.as_secs()), "--script"])
        .arg(&file)
        .arg(url)
        .output()
        .await;
    let output = match ran {
        Ok(output) => output,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let text = String::from_utf8_lossy(&output.stdout);
    let Some((count, seconds)) = read(&text) else {
        let words = String::from_utf8_lossy(&output.stderr);
        return Err(format!("wrk says: {text}{words}").into());
    };
    let cpu = before.zip(usage::cpu_of_children()).map(|(before, after)| after - before);
    Ok(Some(Rates::new(count, seconds, cpu)))
}

/// Reads how many requests there were in how many seconds, if each was answered well.
fn read(text: &str) -> Option<(f64, f64)> {
    if text.contains("Non-2xx") || text.contains("Socket errors") {
        return None;
    }
    let line = text.lines().find(|line| line.contains(" requests in "))?;
    let (count, rest) = line.trim().split_once(" requests in ")?;
    let (seconds, _) = rest.split_once("s,")?;
    Some((count.parse().ok()?, seconds.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_counts_if_all_went_well() {
        let text = "  58123 requests in 3.00s, 4.38MB read\nRequests/sec:  19374.13\n";
        assert_eq!(read(text), Some((58_123.0, 3.0)));
        assert_eq!(read(&format!("{text}  Non-2xx or 3xx responses: 3")), None);
        assert_eq!(read(""), None);
    }
}
