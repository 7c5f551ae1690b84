//! `aaa doctor URL`: whether a webhook is fit, from its name to its subscriptions.
//!
//! The probes bring facts and judge nothing; `judge` takes facts and asks nobody.

mod certificate;
mod connection;
mod disk;
mod judge;
mod probe;
mod report;
mod x;

use aaa_types::WebhookUrl;
use url::Url;

use self::{
    judge::{Secrets, data, network, receiver},
    probe::Probes,
    report::Report,
};
use crate::{
    cli::DoctorArgs,
    credentials::Credentials,
    exit::{Exit, Failure},
    output, verify,
};

pub(crate) async fn run(args: DoctorArgs, credentials: &Credentials) -> Result<(), Failure> {
    let url: WebhookUrl = args.url.parse().map_err(|error| Exit::Usage.with(format!("{error}")))?;
    let parsed = Url::parse(url.as_str());
    let parsed = parsed.map_err(|error| Exit::Usage.of("the URL", error))?;
    let api_is_loopback = credentials.api().is_loopback();
    let secrets = Secrets::new(
        credentials.environment().consumer_secret.clone(),
        verify::named(credentials.environment()),
    );
    let mut report = Report::new(url.as_str());
    report.add(network::url(&url, api_is_loopback));

    let working = output::Working::begin(format!("looking at {url}"));
    let directory = args.store.data_dir.clone();
    let (receiver, x, disk) = tokio::join!(
        look_at_receiver(&parsed, api_is_loopback, &secrets),
        x::look(&url, credentials, args.api),
        tokio::task::spawn_blocking(move || disk::look(&directory)),
    );
    let x = x?;
    working.end();
    report.extend(receiver?);
    report.extend(data::clock(x.clock_offset, api_is_loopback));
    let disk = disk.map_err(|error| Exit::Failed.of("could not look at the disk", error))?;
    report.extend(data::disk(&disk));
    report.extend(judge::x::findings(&x, url.as_str()));
    report.print(args.json)?;
    report.verdict()
}

/// Looks at everything on the way to the receiver and at what it answers. What lies behind
/// something that is broken cannot be looked at, and is left out.
async fn look_at_receiver(
    url: &Url,
    api_is_loopback: bool,
    secrets: &Secrets,
) -> Result<Vec<report::Finding>, Failure> {
    let mut findings = Vec::new();
    let addresses = connection::resolve(url).await;
    findings.push(network::dns(&addresses, api_is_loopback));
    let Ok(addresses) = addresses else { return Ok(findings) };
    let connected = connection::connect(url, &addresses).await;
    findings.extend(network::connection(&connected, url, api_is_loopback, probe::now()));
    if !connected.is_usable() {
        return Ok(findings);
    }
    let probes = Probes::new(url, secrets.active().cloned())?;
    let challenge = probes.challenge().await?;
    findings.extend(receiver::challenge(&challenge, secrets));
    if challenge.is_answered() {
        let deliveries = probes.deliveries().await?;
        findings.extend(receiver::deliveries(&deliveries, &challenge, secrets));
    }
    Ok(findings)
}
