//! `cargo xtask scaling`: what one, ten, a hundred and a thousand times X's limits would need, and
//! what is the bottleneck then. A model: it reckons with what a delivery was measured to cost
//! (`cargo xtask bench cluster`), with machines of one kind, and lets an outage happen ([`outage`]).

mod outage;

use std::fs;

use self::outage::{Outage, REPLAYED, simulate};
use crate::{bench::cluster, outcome::Failure, workspace::Workspace};

/// What a delivery of one event costs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Costs {
    /// Microseconds of a core's time in a receiver.
    pub(crate) receiver_micros: f64,
    /// The same in all servers that have a replica.
    pub(crate) servers_micros: f64,
    /// Bytes of disk on each of them.
    pub(crate) disk_bytes: f64,
    /// Bytes of memory for its key on each of them.
    pub(crate) key_bytes: f64,
    /// Deliveries a second that one stream was seen to take.
    pub(crate) stream_rate: f64,
}

/// As measured for the tables of `docs/SCALING.md`.
const COSTS: Costs = Costs {
    receiver_micros: 48.0,
    servers_micros: 129.0,
    disk_bytes: 3222.0,
    key_bytes: 269.0,
    stream_rate: 6113.0,
};

/// Which share of a thing may be in use, so that an hour with twice as much is survived.
const USED: f64 = 0.5;

/// On how many servers each event is.
const REPLICAS: f64 = 3.0;

/// The machines that are reckoned with.
const CORES: f64 = 8.0;
const MEMORY: f64 = 32e9;
const DISK: f64 = 4e12;
/// Bytes a second.
const NETWORK: f64 = 1.25e9;

const DAY: f64 = 86_400.0;

/// For how long keys are kept: as long as without a word, and with `--keep-keys 2d`. With an hour
/// for clocks that differ.
const KEPT: f64 = 8.0 * DAY + 3600.0;
const KEPT_SHORT: f64 = 2.0 * DAY + 3600.0;

/// X's look-back on v2, in minutes, and how long an outage is.
const LOOK_BACK: u32 = 24 * 60;
const AN_HOUR: u32 = 60;

/// Times of what X replays at most.
const TIMES: [f64; 4] = [1.0, 10.0, 100.0, 1000.0];

/// Runs the command.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    let costs = match arguments {
        [] => COSTS,
        [only] if only == "--measured" => measured()?,
        _ => return Err(Failure::Usage("`scaling` takes `--measured` or nothing".to_owned())),
    };
    print!("{}", text(&costs));
    Ok(())
}

fn measured() -> Result<Costs, Failure> {
    let path = Workspace::load()?.target.join(cluster::FIGURES);
    let text = fs::read_to_string(&path).ok();
    let figures = text.and_then(|text| serde_json::from_str(&text).ok());
    figures.and_then(|figures| cluster::costs(&figures)).ok_or_else(|| {
        let path = path.display();
        Failure::Failed(format!("{path} has no figures; `cargo xtask bench cluster` makes them"))
    })
}

/// What a number of events a second needs.
#[derive(Debug)]
struct Need {
    receiver_cores: f64,
    server_cores: f64,
    streams: f64,
    /// On all servers together, replicas included.
    keys: f64,
    keys_short: f64,
    disk_a_day: f64,
    /// Bytes a second in and out of all servers and receivers.
    network: f64,
    receivers: f64,
}

impl Need {
    fn new(rate: f64, costs: &Costs) -> Self {
        let receiver_cores = rate * costs.receiver_micros / 1e6 / USED;
        let streams = (rate / (costs.stream_rate * USED)).ceil();
        // One more, since a receiver may be away.
        let receivers = (receiver_cores / CORES).ceil() + 1.0;
        Self {
            receiver_cores,
            server_cores: rate * costs.servers_micros / 1e6 / USED,
            streams,
            keys: rate * KEPT * costs.key_bytes * REPLICAS,
            keys_short: rate * KEPT_SHORT * costs.key_bytes * REPLICAS,
            disk_a_day: rate * DAY * costs.disk_bytes * REPLICAS,
            // To a receiver, on to the leader, from it to the others, and to a consumer.
            network: rate * costs.disk_bytes * (2.0 + REPLICAS - 1.0 + 1.0),
            receivers,
        }
    }

    /// Servers that each thing needs, bodies kept for a week, the greediest first.
    fn servers(&self, keys: f64) -> [(&'static str, f64); 4] {
        let whole = |machines: f64| machines.ceil().max(REPLICAS);
        let mut all = [
            ("memory for keys", whole(keys / (MEMORY * USED))),
            ("disk for bodies", whole(self.disk_a_day * 7.0 / (DISK * USED))),
            ("cores of servers", whole(self.server_cores / CORES)),
            ("network", whole(self.network / (NETWORK * USED))),
        ];
        all.sort_by(|one, other| other.1.total_cmp(&one.1));
        all
    }
}

fn text(costs: &Costs) -> String {
    let mut text = format!(
        "a delivery: {:.0} µs of a receiver's core, {:.0} µs of the servers', {:.0} bytes of disk \
         on each of 3 servers;\na key: {:.0} bytes of memory on each; a stream takes {:.0} \
         deliveries a second\nmachines: 8 cores, 32 GB, 4 TB, 10 Gbit/s, at most half in use\n\n",
        costs.receiver_micros,
        costs.servers_micros,
        costs.disk_bytes,
        costs.key_bytes,
        costs.stream_rate,
    );
    let columns: Vec<_> = TIMES.iter().map(|times| column(times * REPLAYED, costs)).collect();
    let names = column_names();
    let width = |lines: &[String]| lines.iter().map(|line| line.chars().count()).max().unwrap_or(0);
    let first = width(&names);
    for (row, name) in names.iter().enumerate() {
        text += &format!("{name:first$}");
        for column in &columns {
            let cell = column.get(row).map_or("", String::as_str);
            text += &format!("  {cell:>width$}", width = width(column));
        }
        text.push('\n');
    }
    text
}

fn column_names() -> Vec<String> {
    [
        "events per second",
        "cores for receivers",
        "receivers (one may be away)",
        "streams (webhooks)",
        "connections of receivers to streams",
        "cores for servers",
        "memory for keys, 8 days, all servers",
        "memory for keys, 2 days, all servers",
        "disk per day, all servers",
        "network, all machines",
        "servers (8 days of keys, a week of bodies)",
        "  because of",
        "servers (2 days of keys, a week of bodies)",
        "  because of",
        "an hour away: replayed after",
        "  lost, since X replays too slowly",
        "  most that waits for consumers",
        "  caught up after (consumers take twice the rate)",
    ]
    .map(str::to_owned)
    .into()
}

fn column(rate: f64, costs: &Costs) -> Vec<String> {
    let need = Need::new(rate, costs);
    let [long, ..] = need.servers(need.keys);
    let [short, ..] = need.servers(need.keys_short);
    let outage = Outage { rate, minutes: AN_HOUR, look_back: LOOK_BACK, consumed: rate * 2.0 };
    let after = simulate(&outage);
    vec![
        format!("{rate:.0}"),
        format!("{:.1}", need.receiver_cores),
        format!("{:.0}", need.receivers),
        format!("{:.0}", need.streams),
        format!("{:.0}", need.receivers * need.streams),
        format!("{:.1}", need.server_cores),
        bytes(need.keys),
        bytes(need.keys_short),
        bytes(need.disk_a_day),
        format!("{}/s", bytes(need.network)),
        format!("{:.0}", long.1),
        long.0.to_owned(),
        format!("{:.0}", short.1),
        short.0.to_owned(),
        time(after.replayed_after),
        format!("{:.0} %", after.lost * 100.0),
        format!("{:.1} M", after.waiting / 1e6),
        after.caught_up_after.map_or_else(|| "never".to_owned(), time),
    ]
}

fn bytes(count: f64) -> String {
    let units = [("PB", 1e15), ("TB", 1e12), ("GB", 1e9), ("MB", 1e6)];
    let (unit, size) = units.into_iter().find(|(_, size)| count >= *size).unwrap_or(("kB", 1e3));
    format!("{:.1} {unit}", count / size)
}

fn time(minutes: u32) -> String {
    format!("{} h {:02} min", minutes / 60, minutes % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_x_allows_at_most_needs() {
        let need = Need::new(
            2500.0,
            &Costs {
                receiver_micros: 100.0,
                servers_micros: 400.0,
                disk_bytes: 2500.0,
                key_bytes: 200.0,
                stream_rate: 5000.0,
            },
        );
        assert!((need.receiver_cores - 0.5).abs() < 1e-9);
        assert!((need.server_cores - 2.0).abs() < 1e-9);
        assert!((need.streams - 1.0).abs() < 1e-9);
        assert!((need.receivers - 2.0).abs() < 1e-9);
        // 2,500 keys a second for 694,800 s, at 200 bytes, three times.
        assert!((need.keys - 2500.0 * 694_800.0 * 200.0 * 3.0).abs() < 1.0);
        let [(name, servers), ..] = need.servers(need.keys);
        assert_eq!((name, servers), ("memory for keys", 66.0));
        let [(name, servers), ..] = need.servers(0.0);
        assert_eq!((name, servers), ("disk for bodies", 6.0));
    }

    #[test]
    fn ten_times_as_much_needs_ten_times_as_much() {
        let (one, ten) = (Need::new(2500.0, &COSTS), Need::new(25_000.0, &COSTS));
        assert!((ten.keys / one.keys - 10.0).abs() < 1e-9);
        assert!((ten.receiver_cores / one.receiver_cores - 10.0).abs() < 1e-9);
        assert!((ten.network / one.network - 10.0).abs() < 1e-9);
    }

    #[test]
    fn every_row_has_a_name() {
        assert_eq!(column_names().len(), column(2500.0, &COSTS).len());
        let text = text(&COSTS);
        assert!(text.contains("events per second"), "{text}");
        assert_eq!(text.lines().count(), 4 + column_names().len());
    }

    /// The table of the document is the one that is printed.
    #[test]
    fn the_document_is_not_stale() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/SCALING.md");
        let document = fs::read_to_string(root).unwrap();
        let text = text(&COSTS);
        assert!(document.contains(text.trim_end()), "docs/SCALING.md lacks:\n{text}");
    }
}
