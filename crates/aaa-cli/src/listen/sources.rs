//! `--allow-from`, `--trusted-proxy` and `--proxy-header`.

use aaa_webhook::networks::{Networks, Sources, TrustedProxies};

use crate::{cli::ListenArgs, output};

/// Returns from where requests are taken, if not from everywhere.
pub(super) fn find(args: &ListenArgs) -> Option<Sources> {
    let allowed = joined(&args.sources.allow_from)?;
    let here = args.bind.ip();
    let proxies = match joined(&args.sources.trusted_proxy) {
        Some(proxies) => {
            TrustedProxies::new(proxies, args.sources.proxy_header.unwrap_or_default())
        }
        None => {
            if here.is_loopback() && !allowed.contains(here) {
                output::note(format_args!(
                    "warning: what reaches {here} comes from this machine, which --allow-from does \
                     not name: behind a proxy, add --trusted-proxy {here}"
                ));
            }
            TrustedProxies::none()
        }
    };
    Some(Sources::new(allowed).behind(proxies))
}

fn joined(lists: &[Networks]) -> Option<Networks> {
    lists.iter().cloned().reduce(Networks::and)
}
