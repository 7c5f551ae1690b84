//! `--tls-cert` and `--tls-key`.

use std::time::Duration;

use aaa_webhook::server::Tls;

use crate::{
    cli::ListenArgs,
    exit::{Exit, Failure},
    signals::HungUp,
};

/// How often the files are looked at. SIGHUP has them looked at now.
const PERIOD: Duration = Duration::from_secs(10);

/// Reads certificate and key, if they are named.
///
/// # Errors
///
/// Fails when they are of no use.
pub(super) fn load(args: &ListenArgs) -> Result<Option<Tls>, Failure> {
    let (Some(chain), Some(key)) = (&args.tls_cert, &args.tls_key) else { return Ok(None) };
    let tls = Tls::from_files(chain, key);
    tls.map(Some).map_err(|error| Exit::Failed.of("could not set up TLS", error))
}

/// Takes renewed files; what is broken is told once, and the old ones go on.
pub(super) async fn keep_fresh(tls: Tls, mut hung_up: HungUp) {
    let mut told = None;
    loop {
        tokio::select! {
            () = tokio::time::sleep(PERIOD) => {}
            () = hung_up.recv() => told = None,
        }
        let reading = tls.clone();
        let reloaded = tokio::task::spawn_blocking(move || reading.reload()).await;
        match reloaded {
            Ok(Ok(changed)) => {
                told = None;
                if changed {
                    tracing::info!("the certificate was renewed");
                }
            }
            Ok(Err(error)) if told.as_ref() == Some(&error) => {}
            Ok(Err(error)) => {
                tracing::warn!(%error, "the certificate is not renewed; the old one goes on");
                told = Some(error);
            }
            Err(_) => return,
        }
    }
}
